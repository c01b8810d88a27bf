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
		`setTimeout("fetch(\"/a.json\")",1)`, `setTimeout("new Image().src=\"a\"",1)`, `setTimeout("fetch('\0')",1)`, `new Function("u","fetch(u)")(x)`,
		`new Function(name, "fetch(u)")(x)`, `setTimeout("import('/a.js')",1)`, `new Function("return import('/a.js')")()`, `setTimeout("go();" + "fetch(u)", 1)`,
		`setTimeout("fetch('" + u + "')",1)`, "setTimeout(`\nfetch(u)\n`, 1)", `setTimeout("\x66etch(u)")`, `setTimeout("\u0066\u{65}tch(u)")`, `setTimeout("location.href='/x'",100)`,
		"const f = fetch\nf(u)", "const f = window.fetch\nf(u)", `f = typeof fetch==="function" ? fetch : p`, `f = window.fetch ?? p`, `f = a || window.fetch`,
		`p.then(fetch)`, `[u].map(fetch)`, `p.then(window.fetch)`, `get = () => fetch`, `return self.fetch}`, `f = (a || fetch)`,
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
		`has=!!window.fetch;`, `{fetch:!!window.fetch,a:1}`, `typeof window.fetch;`, `return !!self.fetch;`, `window.fetch?a():b()`, `if(window.fetch||x)a()`,
		`if(!window.fetch||!window.Promise)load()`, `x=window.fetch?a():b()`, `if (a || window.fetch) b()`, `x = fetch ? a : b`, `if (fetch) a()`,
		`function go(){ setTimeout("location.href='/x'",100) }`, `new Function("fetch", "return 1")`, `check(Function, "fetch(u)")`, `new Function("fetch(u)", body)`, `setTimeout("a('\\'fetch(u)')", 1)`,
		`setTimeout("\xfetch(u)")`, `setTimeout("b.addEventListener('click', () => import('/a.js'))")`, "document.write(`<p>\nnow</p>`)",
		`"serviceWorker" in navigator`, `<!-- fetch(u)`, `a = x ? src : y`,
	} {
		if mayFetch(text) {
			t.Errorf("%s: taken for what makes requests", text)
		}
	}
}

// Code in a string inserts what the document keeps as code does that is no string.
func TestCodeInAStringInserts(t *testing.T) {
	for text, want := range map[string]bool{
		`setTimeout("e.innerHTML = html", 1)`: true, `new Function("t", "e.append(t.content.cloneNode(true))")(t)`: true, `setTimeout("go()", 1)`: false,
	} {
		if c := markup.ReadScript(text, "http://a.test/", false, markup.ImportMap{}, true); c.Inserts != want || c.MayFetch {
			t.Errorf("%s: %+v", text, c)
		}
	}
}

// The escapes of a specifier are undone as JavaScript does.
func TestEscapesInSpecifiers(t *testing.T) {
	for text, want := range map[string]string{
		`import("/a\/b.js")`: "/a/b.js", `import("/\x61\u0062\u{63}.js")`: "/abc.js", `import("/\q\"'\'.js")`: `/q%22''.js`, "import('/a\\\n.js')": "/a.js",
		`import("/\ud83d\ude00.js")`: "/%F0%9F%98%80.js", `import("/\141.js")`: "/a.js", `import("/a\u{110000}.js")`: "", `import("/a\x6.js")`: "", `import("/a\u00.js")`: "", `import("/a\u{62")`: "",
	} {
		c, got := markup.ReadScript(text, "http://a.test/", false, markup.ImportMap{}, true), ""
		if len(c.References) == 1 {
			got = strings.TrimPrefix(c.References[0].URL, "http://a.test")
		}
		if got != want {
			t.Errorf("%s: imports %q, want %q", text, got, want)
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
