package access_test

import (
	"fmt"

	"github.com/el-tor/tops/policies/access"
)

func ExampleProfile_Explain() {
	list, err := access.Parse("mail.toml", []byte(`profile = "mail"
[match]
users = ["mail"]
[commands]
GETINFO = ["version", "status/*"]
ADD_ONION = ["NEW:*", "Port=25,127.0.0.1:*"]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	who := access.WithUser("mail")
	for _, cmd := range []string{"GETINFO version status/bootstrap-phase", "GETINFO version address", "ADD_ONION NEW:BEST Port=25,9051", "SIGNAL HALT"} {
		fmt.Println(list[0].Explain(who, cmd))
	}
	// Output:
	// ALLOW by mail.toml:5 (profile mail)
	// BLOCK by mail.toml:5: 510 GETINFO refused: "address" is not allowed (profile mail)
	// BLOCK by mail.toml:6: 510 ADD_ONION refused: an onion service must not point at a control port (profile mail)
	// BLOCK by mail.toml:1: 510 "SIGNAL" is not allowed (profile mail)
}
