package sandbox

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
)

// Persona is a fictional investor whose statements the sandbox can give.
type Persona struct {
	ID       string `json:"id"` // in file names, such as asha-cdsl.pdf
	Name     string `json:"name"`
	PAN      string `json:"pan"` // its number is 0000, which is never issued
	Email    string `json:"email"`
	Mobile   string `json:"mobile"`
	BOID     string `json:"bo_id"`
	DOB      string `json:"dob"` // YYYY-MM-DD
	OTP      string `json:"otp"`
	Password string `json:"password"` // of the persona's PDFs; the sandbox accepts any but "wrong"
}

var errNoPersona = badRequest("No investor has this id; GET /_sandbox/personas lists them")

// Personas returns the fictional investors, each with other details.
func Personas() []Persona { return slices.Clone(personas) }

// personas has the owner of each sample, in the order of allSources.
var personas = []Persona{
	{"asha", "Asha Verma", "AAAPV0000A", "asha@example.com", "90000XXXXX", "9900000100000014", "1990-01-15", OTP, "AAAPV0000A"},
	{"rohan", "Rohan Iyer", "BBBPI0000B", "rohan@example.com", "90001XXXXX", "9900000200000027", "1985-06-02", OTP, "BBBPI0000B"},
	{"meera", "Meera Nair", "CCCPN0000C", "meera@example.com", "90002XXXXX", "9900000300000036", "1992-11-23", OTP, "CCCPN0000C"},
	{"kabir", "Kabir Sen", "DDDPS0000D", "kabir@example.com", "90003XXXXX", "9900000400000048", "1978-03-30", OTP, "DDDPS0000D"},
}

// owner returns the persona whose statement the sample of s is.
func (s source) owner() Persona { return personas[slices.Index(allSources, s)] }

// findPersona returns the first persona for whom matches holds.
func findPersona(matches func(Persona) bool) (Persona, bool) {
	i := slices.IndexFunc(personas, matches)
	if i < 0 {
		return Persona{}, false
	}
	return personas[i], true
}

func personaByID(id string) (Persona, bool) {
	return findPersona(func(p Persona) bool { return p.ID == id })
}

// detectPersona returns the id of the persona whose name is in a PDF's text, or whose id
// is in its file name, or "" when there is none.
func detectPersona(text []byte, fileName string) string {
	text, fileName = bytes.ToLower(text), strings.ToLower(fileName)
	p, found := findPersona(func(p Persona) bool { return bytes.Contains(text, []byte(strings.ToLower(p.Name))) })
	if !found {
		p, _ = findPersona(func(p Persona) bool { return strings.Contains(fileName, p.ID) })
	}
	return p.ID
}

// rename returns a statement of owner with p's details in place of owner's. Holdings,
// folio numbers and addresses stay.
func (p Persona) rename(statement []byte, owner Persona) []byte {
	if p == owner {
		return statement
	}
	r := strings.NewReplacer(
		owner.Name, p.Name, owner.PAN, p.PAN, maskPAN(owner.PAN), maskPAN(p.PAN), owner.Email, p.Email, owner.Mobile, p.Mobile,
		owner.BOID, p.BOID, owner.BOID[:8], p.BOID[:8], owner.BOID[8:], p.BOID[8:],
	)
	return []byte(r.Replace(string(statement)))
}

// maskPAN hides all but the first and the last two characters, as depositories do.
func maskPAN(pan string) string { return pan[:2] + "XXXXXX" + pan[8:] }

// listPersonas is a control call.
func (s *Sandbox) listPersonas(*http.Request) (reply, error) {
	return ok(map[string]any{"personas": personas})
}
