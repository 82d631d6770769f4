import "virtual:theme.css";
import "./base.css";
import "./components.css";
