package markup_test

import (
	"strings"
	"testing"

	"libra/pkg/inspect/markup"
)

// TestScriptsThatMayFetch: each construct that makes requests is recognised,
// and not where it is only named.
func TestScriptsThatMayFetch(t *testing.T) {
	for _, text := range []string{
		`fetch("/a.json")`, `window.fetch(u)`, `const get = fetch.bind(window)`, `self["fetch"](u)`,
		`var x = new XMLHttpRequest; x.open("GET", u)`, `new window.XMLHttpRequest()`, `new ActiveXObject("Microsoft.XMLHTTP")`,
		`navigator.sendBeacon("/hit", d)`, `new EventSource("/events")`, `new WebSocket("wss://a.test")`,
		`new Worker("w.js")`, `new SharedWorker("w.js")`, `importScripts("a.js")`, `navigator.serviceWorker.register("sw.js")`,
		`import(name)`, `import("./a" + b)`, `if (x) { import("./a.js") }`, "import(`./${x}.js`)", `System.import("a")`,
		`new Image().src = u`, `new Image`, `var a = new Audio("a.mp3")`, `img.src = "a.png"`, `img.srcset = a`, `img["src"] = "a.png"`,
		`img.setAttribute("src", u)`, `img.setAttribute( 'srcset', u )`, `v.poster = "p.png"`,
		`h("img", {src: u})`, `$("<img>", {class: "x", src: u})`,
		`document.createElement("script")`, `d.createElement('LINK')`, `document.createElement("iframe")`,
		`document.write(x)`, `document.write("<script src=a.js><\/script>")`, `document.writeln('<im' + 'g src=a>')`,
		`e.innerHTML = '<IMG src="a.png">'`, `e.innerHTML = a + 'mg src=a.png>'`, `f.srcdoc = page`,
		`e.insertAdjacentHTML("beforeend", "<video src=a>")`,
		"e.append(t(`<li><img src=${u}></li>`))", `r.createContextualFragment("<img src=a>")`,
		`$.ajax({url: u})`, `$.get("a.html", f)`, `jQuery.post(u)`, `$.getJSON("a.json")`, `$.getScript("a.js")`, `$("#x").load("a.html #y")`,
		`$("img").attr("src", u)`, `axios.get(u)`,
		`e.style.backgroundImage = u`, `e.style.background = "url(a.png)"`, `s.insertRule("p{background:url('a.png')}")`,
		`s.textContent = '@import "a.css"'`, `new FontFace("f", "url(a.woff2)")`, `l.rel = "stylesheet"`,
		`location = "other.html"`, `window.location.href = "other.html"`, `location.replace("other.html")`,
		`const f = fetch;f(u)`, `x = { get: fetch }`, `x = window.fetch || polyfill`, `window?.fetch?.(u)`, "fetch`/a.json`",
		`new Function("fetch('/a.json')")()`, `setTimeout("new Image().src = 'a.png'", 1)`,
		`h("img", {"src": u})`, `document.createElementNS("http://www.w3.org/2000/svg", "image")`, `if(1)/"/.test("x");fetch("/1.png")`,
		`while (a(b)) /"/.test(c) && fetch("/1.png")`,
		`eval(code)`, "`unterminated", `x = "a" + "` + "\n" + strings.Repeat("x = \"\n", 20),
		"x = /[/\"]/.test(y); fetch(u)", "a = (b) / c; d = e / f; fetch(u)", "if (x) /'/.test(y)\nfetch(u)",
		`b.addEventListener("load", function () { fetch(u) })`, `b.onload = () => fetch(u)`, `$(f).on("click load", function () { fetch(u) })`,
		`b.addEventListener("click", f); fetch(u)`, `b.onclick = null; fetch(u)`, "b.addEventListener('click', () => { f(`${')'}`) }); fetch(u)",
		"/*! jQuery v3.6.0 */ x(); e.jQuery=e.$=k; fetch(u);" + strings.Repeat(" ", 400) + "y()",
		"`${fetch(u)}`", "<!-- it's old\nfetch(u)\n//-->", `var re = /"/g, x; fetch(u); y = '"'`,
	} {
		if !mayFetch(text) {
			t.Errorf("%s: not recognised", text)
		}
	}
	for _, text := range []string{
		`if (window.fetch) f()`, `typeof fetch`, `"fetch" in window`, `new Function("return this")()`, `setTimeout(f, 10)`, `setTimeout("tick()", 10)`,
		`{"src": true}`, `["src"]`, `d.createElementNS("http://www.w3.org/2000/svg", "path")`, `f(a) / b; c = "fetch(" / 2`,
		``, `var a = 1`, `// fetch("/a.json")`, `/* new Image().src = "a" */ x()`, `"fetch('a')"`, `/fetch(x)/.test(y)`,
		`function fetch() {}`, `var fetchDate = 1; fetched(x)`, `a.image = 1; new ImageData(1, 1)`,
		`img.src = ""`, `img.src = "data:image/gif;base64,AA=="`, `if (img.src == u) f(img.src)`, `x = e.getAttribute("src")`,
		`e.setAttribute("class", "src")`, `e.setAttribute("href", "#top")`, `a.href = "x"`, `$(a).attr("src")`,
		`e.innerHTML = ""`, `e.innerHTML = "<b>ready</b>"`, `e.innerHTML = html`, `{src: true, nonce: true}`, "i.src = `${i.src.substr(0, 9)}plus.png`",
		`b.addEventListener("click", function () { fetch(u) })`, `b.addEventListener('click', () => fetch(u), true)`, `b.onclick = function (e) { fetch(u) }`,
		`b.onclick = () => { fetch(u) }`, `$(b).click(function () { $.ajax(u) })`, `$(d).on("click.x", ".b", function () { $.get(u) })`,
		`b.addEventListener("click", () => import("./a.js"))`,
		"/*! jQuery v3.6.0 | (c) OpenJS Foundation */ new e.XMLHttpRequest; e.jQuery=e.$=k", `x = e.innerHTML`, `e.textContent = x`,
		`e.insertAdjacentHTML("beforeend", "<i></i>")`, `document.write("<p>now</p>")`, `stream.write(x)`,
		`document.createElement("div")`, `document.createElement(tag)`, `import("./a.js")`, `import.meta.url`,
		`map.get("a"); cache.post`, `video.load()`, `e.style.background = "red"`, `s = "url(#a)"`, `s = "url(data:image/png;base64,AA)"`,
		`s = "image <imgx"`, `l.rel = "noopener"`, `function go() { location = "x" }`, `f(location.href)`, `switch (x) { case src: y }`,
		`"serviceWorker" in navigator`, `<!-- fetch(u)`, `a = x ? src : y`,
	} {
		if mayFetch(text) {
			t.Errorf("%s: taken for what makes requests", text)
		}
	}
}

func mayFetch(text string) bool {
	return markup.ReadScript(text, "http://a.test/", false, markup.ImportMap{}, true).MayFetch
}

// A script that ends inside a string, after more lost quotes than are looked for,
// is not known. Its end is not passed.
func TestScriptThatEndsInAString(t *testing.T) {
	lost := strings.Repeat("'\n", 20)
	for _, end := range []string{`import "x\`, `import("x\`, `export * from 'x\`, "`x\\", `"\`, `fetch\`} {
		if c := markup.ReadScript(lost+end, "https://a.test/s.js", true, markup.ImportMap{}, true); !c.MayFetch {
			t.Errorf("%q: may fetch nothing", end)
		}
	}
}
