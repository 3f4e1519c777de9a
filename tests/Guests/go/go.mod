module vivarium/guests

go 1.19
