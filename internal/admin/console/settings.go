package console

import (
	"strings"

	"casbroker/internal/admin"
)

// settingsBody is what the broker runs with.
type settingsBody struct {
	Groups  []settingGroup
	Changed int
}

// settingGroup are the settings whose keys begin alike.
type settingGroup struct {
	Name     string
	Settings []admin.Setting
}

// settings lists the settings in force.
func (h *Handler) settings(visit) (reply, error) {
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
