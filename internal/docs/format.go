package docs

import (
	"bytes"
	"html/template"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/util"
)

// formatter renders Markdown of ours as HTML. It is not safe for concurrent use.
type formatter struct {
	markdown goldmark.Markdown
	calls    map[string]string // URLs of calls, by "POST /v1/token"
}

func newFormatter(calls map[string]string) *formatter {
	return &formatter{calls: calls, markdown: goldmark.New(
		goldmark.WithExtensions(extension.Table),
		goldmark.WithParserOptions(parser.WithAutoHeadingID()),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(codeBlocks{}, 100))),
	)}
}

// call is a call in the text of a page.
var call = regexp.MustCompile(`<code>([A-Z]+ /[^<?]*)([^<]*)</code>`)

// html returns text as HTML, in which calls have links to the reference.
func (f *formatter) html(text string) template.HTML {
	var b bytes.Buffer
	if err := f.markdown.Convert([]byte(text), &b); err != nil {
		return template.HTML(template.HTMLEscapeString(text)) //nolint:gosec // escaped
	}
	linked := call.ReplaceAllStringFunc(b.String(), func(code string) string {
		if url := f.calls[call.FindStringSubmatch(code)[1]]; url != "" {
			return `<a href="` + url + `">` + code + `</a>`
		}
		return code
	})
	return template.HTML(linked) //nolint:gosec // goldmark omits raw HTML
}

// codeBlocks renders blocks of code: with the name of their file above, and in reach of the
// keyboard, since they scroll.
type codeBlocks struct{}

// RegisterFuncs implements renderer.NodeRenderer.
func (codeBlocks) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindFencedCodeBlock, renderCode)
}

func renderCode(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	block, ok := n.(*ast.FencedCodeBlock)
	if !entering || !ok {
		return ast.WalkSkipChildren, nil
	}
	var info string
	if block.Info != nil {
		info = string(block.Info.Segment.Value(source))
	}
	language, file := readInfo(info)
	if file != "" {
		_, _ = w.WriteString(`<p class="file">` + template.HTMLEscapeString(file) + `</p>`)
	}
	_, _ = w.WriteString(`<pre tabindex="0"><code class="language-` + template.HTMLEscapeString(language) + `">`)
	lines := block.Lines()
	for i := range lines.Len() {
		line := lines.At(i)
		html.DefaultWriter.RawWrite(w, line.Value(source))
	}
	_, err := w.WriteString("</code></pre>\n")
	return ast.WalkSkipChildren, err
}

// readInfo returns the language and the file's name of a block: "tsx file=app/page.tsx".
func readInfo(info string) (language, file string) {
	language, rest, _ := strings.Cut(info, " ")
	file, _ = strings.CutPrefix(rest, "file=")
	return language, file
}
