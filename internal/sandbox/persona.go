package sandbox

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
)

// Persona is a fictional investor of whom the sandbox has a statement of each source.
type Persona struct {
	ID       string `json:"id"` // in file names, such as asha-cdsl.pdf
	Name     string `json:"name"`
	PAN      string `json:"pan"` // begins with ZZ and has the number 0000: never issued
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

// personas are in the order in which they are listed. A statement that names none of them is
// of the first.
var personas = []Persona{
	{"asha", "Asha Verma", "ZZZPV0000A", "asha@example.com", "90000XXXXX", "9900000100000014", "1990-01-15", OTP, "ZZZPV0000A"},
	{"rohan", "Rohan Iyer", "ZZZPI0000B", "rohan@example.com", "90001XXXXX", "9900000200000027", "1985-06-02", OTP, "ZZZPI0000B"},
	{"meera", "Meera Nair", "ZZZPN0000C", "meera@example.com", "90002XXXXX", "9900000300000036", "1992-11-23", OTP, "ZZZPN0000C"},
}

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

// listPersonas is a control call.
func (s *Sandbox) listPersonas(*http.Request) (reply, error) {
	return ok(map[string]any{"personas": personas})
}
