import { m } from "./m.js?static";
import "./m.js?side-effect";
export { m as again } from "./m.js?re-export";
export const a = 1, b = 2;
