fetch("r/data.json?by-script");
