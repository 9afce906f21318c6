package store

// UsersQuery is the query of FindUsers, for tests that look at how it is carried out.
var UsersQuery = usersQuery
