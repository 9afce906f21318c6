// Package docs serves the documentation for developers of apps: the reference of the HTTP
// API, the guides, and llms.txt for coding assistants.
//
//	openapi.yaml ──▶ spec ──▶ groups ──┐
//	guides/*.md ──▶ goldmark ──────────┼──▶ templates ──▶ pages, compressed, with an ETag
//	llms.txt ──────────────────────────┘
//
// The pages are rendered once, for the first request. They are plain HTML with one stylesheet
// and no script. The reference has one page for each tag of openapi.yaml, and one for what
// all calls share: how callers authenticate, errors and headers. A page has its own copy of
// the objects that its calls mention, so that the search of the browser finds all of it.
//
// Renderers of OpenAPI documents that run in the browser have 0.5 to 3 MB of script and set
// inline styles, which the Content-Security-Policy of these pages forbids.
package docs
