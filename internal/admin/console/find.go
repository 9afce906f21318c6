package console

import "strings"

// findPath is where the search field of every page leads.
const findPath = "find"

// find leads to the page about what was searched for: a grant, a hosted link, a request, an
// operator, or a user.
func (h *Handler) find(r request) (reply, error) {
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	page := reply{page: "users", title: "Users", body: usersBody{Query: q}}
	switch {
	case q == "":
		return reply{redirect: home + "users"}, nil
	case strings.HasPrefix(q, "gr_"):
		return reply{redirect: grantURL(q)}, nil
	case strings.HasPrefix(q, "req_"):
		return reply{redirect: withQuery(home+"audit", "request_id", q, "action", everything)}, nil
	case strings.HasPrefix(q, "admin/"):
		return reply{redirect: withQuery(home+"audit", "actor", q, "action", everything)}, nil
	case strings.HasPrefix(q, "ln_"):
		l, err := h.Admin.Link(r.Context(), q)
		return reply{redirect: userURL(l.Subject)}, err
	}
	subject, exact, err := h.Admin.FindUser(r.Context(), q)
	switch {
	case err != nil:
		return page, err
	case exact:
		return reply{redirect: userURL(subject)}, nil
	}
	return reply{redirect: withQuery(home+"users", "q", subject)}, nil
}
