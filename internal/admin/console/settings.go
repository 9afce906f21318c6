package console

import (
	"strings"

	"casbroker/internal/admin"
)

// settingsBody lists the settings in force.
type settingsBody struct {
	Groups  []settingGroup
	Changed int // settings that differ from their default
}

// settingGroup has the settings with the same first part of the key.
type settingGroup struct {
	Name     string
	Settings []admin.Setting
}

// Shows reports whether the value of s is shown next to its words.
func (settingsBody) Shows(s admin.Setting) bool { return s.Value != "" && s.Value != "[secret]" }

// settings lists the settings in force.
func (h *Handler) settings(request) (reply, error) {
	var b settingsBody
	for _, s := range h.Admin.Settings {
		name, _, _ := strings.Cut(s.Key, ".")
		if n := len(b.Groups); n == 0 || b.Groups[n-1].Name != name {
			b.Groups = append(b.Groups, settingGroup{Name: name})
		}
		last := &b.Groups[len(b.Groups)-1]
		last.Settings = append(last.Settings, s)
		if !s.Default {
			b.Changed++
		}
	}
	return reply{page: "settings", title: "Settings", body: b}, nil
}
