import("./m.js?in-nosniff-js");
