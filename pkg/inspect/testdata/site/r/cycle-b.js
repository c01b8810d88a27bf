import "./cycle-a.js";
