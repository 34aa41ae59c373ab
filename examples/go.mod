module github.com/tenantwall/tenantwall/examples

go 1.26.0

require github.com/tenantwall/tenantwall v0.0.0

replace github.com/tenantwall/tenantwall => ../
