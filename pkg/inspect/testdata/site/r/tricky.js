// import "./m.js?line";
/* import "./m.js?block"; */
const s = 'import "./m.js?string"', t = `import "./m.js?template" ${"import './m.js?expression'"}`;
const r = /import "\.\/m.js?regex"/, d = 4 / 2 / 1;
const o = { import: "./m.js?property", from: "./m.js?from" }; o.import;
import /* comment */ def, * as all
  from /* comment */ "./m2.js?real";
import.meta.url;
export default class { static from = "./m.js?field" }
