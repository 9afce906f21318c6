package gateway

// ReadCallback reads the body of a callback.
var ReadCallback = (*Inbound).read

// UnchargedRoutes returns the routes that are not free and have no documented price.
func UnchargedRoutes() (list []string) {
	for i := range routes {
		if _, ok := routes[i].charge(); !ok && !routes[i].free {
			list = append(list, routes[i].path)
		}
	}
	return list
}
