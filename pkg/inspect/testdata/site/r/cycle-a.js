import "./cycle-b.js";
