import "./m.js?in-module-nosniff";
