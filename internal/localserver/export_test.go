package localserver

// Abandon lets go of the server's folders as if this process had died, with the server
// alive.
func (pg *Postgres) Abandon() {
	pg.home.release()
	pg.run.release()
}

// Sweep removes what killed processes have left in the folder for temporary files.
func Sweep(base string) error {
	as, err := serverAccount()
	if err == nil {
		sweep(base, as)
	}
	return err
}
