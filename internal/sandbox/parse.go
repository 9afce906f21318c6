package sandbox

import (
	"encoding/json"
	"net/http"
	"net/mail"
	"regexp"
	"slices"
	"time"
)

// parse returns the handler of an endpoint that accepts these sources. A statement
// of unknown source counts as the first of them.
func (s *Sandbox) parse(accepts ...source) func(*call) (reply, error) {
	return func(c *call) (reply, error) {
		d, err := s.readDocument(c)
		if err != nil {
			return reply{}, err
		}
		if d.source == "" {
			d.source = accepts[0]
		}
		if !slices.Contains(accepts, d.source) {
			return reply{}, errWrongSource
		}
		if err := wait(c.r.Context(), s.opts.ParseDelay); err != nil {
			return reply{}, err
		}
		return ok(s.statement(d.source, d.investor))
	}
}

var brokerNames = map[string]string{
	"zerodha": "Zerodha", "groww": "Groww", "upstox": "Upstox", "icici": "ICICI", "": "Banyan Sample Broking Limited",
}

// contractNote answers every contract note with the same fictional one.
func (s *Sandbox) contractNote(c *call) (reply, error) {
	d, err := s.readDocument(c)
	if err != nil {
		return reply{}, err
	}
	if d.password == "" {
		return reply{}, badRequest("password is required")
	}
	name, known := brokerNames[d.brokerType]
	if !known {
		return reply{}, &apiError{status: http.StatusBadRequest, code: "UNSUPPORTED_FORMAT", msg: "broker_type is not supported"}
	}
	if d.brokerType == "" {
		d.brokerType = "unknown"
	}
	if err := wait(c.r.Context(), s.opts.ParseDelay); err != nil {
		return reply{}, err
	}
	return parsedNote(d.brokerType, name)
}

// parsedNote answers with the sample contract note of this broker.
func parsedNote(brokerType, name string) (reply, error) {
	var note map[string]json.RawMessage
	if err := json.Unmarshal(sample("contract_note"), &note); err != nil {
		return reply{}, err
	}
	return ok(struct {
		Status string `json:"status"`
		Msg    string `json:"msg"`
		Data   any    `json:"data"`
	}{"success", "Contract note parsed", withBroker(note, brokerType, name)})
}

func withBroker(note map[string]json.RawMessage, kind, name string) map[string]any {
	data := map[string]any{"broker_info": map[string]string{
		"broker_type": kind, "name": name, "sebi_registration": "INZ000000000",
	}}
	for k, v := range note {
		data[k] = v
	}
	return data
}

var panPattern = regexp.MustCompile(`^[A-Z]{5}[0-9]{4}[A-Z]$`)

// statusMessage is an answer without data.
type statusMessage struct {
	Status string `json:"status"`
	Msg    string `json:"msg"`
}

// generate has a statement mailed to the investor: to the page at mailboxPath, as no mail
// leaves the sandbox.
func (s *Sandbox) generate(c *call) (reply, error) {
	var req struct {
		Email    string `json:"email"`
		From     string `json:"from_date"`
		To       string `json:"to_date"`
		Password string `json:"password"`
		PAN      string `json:"pan_no"`
	}
	if err := readJSON(c.r, &req); err != nil {
		return reply{}, err
	}
	from, errFrom := time.Parse(time.DateOnly, req.From)
	to, errTo := time.Parse(time.DateOnly, req.To)
	_, errMail := mail.ParseAddress(req.Email)
	switch {
	case errMail != nil:
		return reply{}, badRequest("email is required and must be an address")
	case errFrom != nil || errTo != nil || to.Before(from):
		return reply{}, badRequest("from_date and to_date are required as YYYY-MM-DD, in this order")
	case req.Password == "":
		return reply{}, badRequest("password is required")
	case req.PAN != "" && !panPattern.MatchString(req.PAN):
		return reply{}, badRequest("pan_no is not a PAN")
	}
	if err := s.mail(c, req.Email, req.PAN); err != nil {
		return reply{}, err
	}
	return ok(generated)
}

// generated is the answer of a successful call of generate.
var generated = statusMessage{"success", "The statement will be mailed to the investor"}
