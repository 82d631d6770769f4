import { render } from "preact";
import { App } from "./app.js";
import "./styles/all.js";

render(<App />, document.getElementById("app")!);
