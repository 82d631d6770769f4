import { render } from "preact";

render(<p>Stagecraft</p>, document.getElementById("app")!);
