import("./m.js?from-classic");
function never() { return import("./m.js?function"); }
