package config

// RateLimit has the limits of each class of routes.
type RateLimit struct {
	Token    Limits `yaml:"token"`
	Save     Limits `yaml:"save"`
	Read     Limits `yaml:"read"`
	Upload   Limits `yaml:"upload"`
	Admin    Limits `yaml:"admin"`
	SignIn   Limits `yaml:"sign_in"`  // wrong admin keys
	Failures string `yaml:"failures"` // refused tokens, per address

	Service ServiceLimits `yaml:"service"`
}

// ServiceLimits are the rates of calls that services make for users; "" is no limit.
type ServiceLimits struct {
	User  string `yaml:"user"`  // for each user and service
	Total string `yaml:"total"` // for each service
	All   string `yaml:"all"`   // for all services
	Mode  string `yaml:"mode"`  // ModeEnforce or ModeObserve
}

// Limits are rates such as "30-M"; "" is no limit.
type Limits struct {
	User    string `yaml:"user"`
	Address string `yaml:"address"`
	All     string `yaml:"all"`
	Mode    string `yaml:"mode"` // ModeEnforce or ModeObserve
}

// The choices of ratelimit.<class>.mode.
const (
	ModeEnforce = "enforce"
	ModeObserve = "observe"
)
