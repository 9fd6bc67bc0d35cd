package upgrade

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/compose"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
	"github.com/betagouv/mrs-ops/internal/hostside/pgversion"
	"github.com/betagouv/mrs-ops/internal/hostside/release"
	"github.com/betagouv/mrs-ops/internal/hostside/restore"
	"github.com/betagouv/mrs-ops/internal/hostside/wal"
)

// Here is an instance of this host, whose recoveries end what upgrades have begun, too.
func Here(i *restore.Instance) *Instance {
	here := &Instance{Instance: i, Host: this{i}, Backup: i.Within}
	i.Upgraded = func(ctx context.Context, i *restore.Instance, s restore.Swap) error { return here.Settle(ctx, s) }
	return here
}

// this is this host ([Host]).
type this struct{ *restore.Instance }

func (h this) server() dump.Container { return h.Stack.Server().(dump.Container) }

// dataIn is where a container of PostgreSQL with an environment has its data: the images of 9 to 17 name it PGDATA.
func dataIn(env map[string]string) string { return cmp.Or(env["PGDATA"], "/var/lib/postgresql/data") }

func (h this) Image(ctx context.Context, image string) (version, data string, err error) {
	there, err := docker.Have(ctx, image, h.Say)
	if err == nil {
		version, err = pgversion.Image(ctx, image)
	}
	return version, dataIn(there.Env), err
}

// unfit are what a dump of one database would not have, each with how it is told.
var unfit = []struct{ in, told, sql string }{
	{"", "another database, which would stay behind: drop it, or restore.sh discard", `select datname from pg_database
where datname not in ('template0', 'template1', 'postgres', current_database())`},
	{"", "a tablespace", `select spcname from pg_tablespace where spcname !~ '^pg_'`},
	{"", "a transaction that is prepared, and not ended", `select gid::text from pg_prepared_xacts`},
	// Ours is made anew, as the new cluster has a log of its own.
	{"", "a replication slot", `select slot_name from pg_replication_slots where slot_name <> '` + wal.Slot + `'`},
	{"", "a subscription", `select subname from pg_subscription`},
	{"postgres", "a table of the database postgres, which would stay behind",
		`select oid::regclass::text from pg_class where oid >= 16384 and relkind in ('r', 'p')`},
	{"", "a table with oids, which PostgreSQL 12 has no more: alter table … set without oids",
		`select oid::regclass::text from pg_class c
where oid >= 16384 and relkind = 'r' and to_jsonb(c) ->> 'relhasoids' = 'true'`},
}

func (h this) Live(ctx context.Context) (l Live, err error) {
	c := h.server()
	l.Image, l.Inside = c.Named, dataIn(c.Env)
	if l.Data = c.Mounts[l.Inside]; l.Data == "" {
		return l, die("", "PostgreSQL of %s has its data in no folder of the host", h.Name)
	}
	if l.Version, err = pgversion.Folder(l.Data); err != nil {
		return l, err
	}
	if l.Bytes, err = c.Size(ctx); err != nil {
		return l, err
	}
	for _, u := range unfit {
		err := h.in(ctx, c, cmp.Or(u.in, h.Database), func(pg *pgx.Conn) error {
			names, err := lines(ctx, pg, u.sql)
			for _, name := range names {
				l.Unfit = append(l.Unfit, fmt.Sprintf("%s is %s", name, u.told))
			}
			return err
		})
		if err != nil {
			return l, err
		}
	}
	return l, nil
}

func (h this) in(ctx context.Context, c dump.Container, database string, do func(*pgx.Conn) error) error {
	pg, err := c.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer pg.Close(context.WithoutCancel(ctx))
	return do(pg)
}

func (h this) Sessions(ctx context.Context) (all []string, err error) {
	return all, h.in(ctx, h.server(), "postgres", func(pg *pgx.Conn) (err error) {
		rows, err := pg.Query(ctx, `select distinct concat_ws(' ', usename, application_name, client_addr)
from pg_stat_activity where datname = $1 and backend_type = 'client backend' and application_name <> $2`,
			h.Database, dump.Application)
		if err == nil {
			all, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
}

func (h this) Compose(ctx context.Context, image, file string) error {
	over, err := json.Marshal(map[string]any{"services": map[string]any{
		h.Settings.Server: map[string]string{"image": image},
	}})
	if err != nil {
		return err
	}
	content, err := compose.Project{Name: h.Name, Folder: h.Home}.Overlay(ctx, filepath.Join(h.Home, composeFile), over)
	if err != nil {
		return err
	}
	return durable.Write(file, content, 0o600)
}

func (h this) Dump(ctx context.Context, image, folder string) (dump.Made, error) {
	return dump.Make(ctx, h.server().By(image, h.Name+"-upgrade", folder), dump.Options{
		Database: h.Database, Role: h.Role, Folder: folder, Inside: "/dump", Jobs: 2, Every: h.Every,
		Progress: func(dumped, of int64) {
			h.Say(fmt.Sprintf("dumped %s, of a database of %s", backup.Human(dumped), backup.Human(of)))
		},
	})
}

// taken are the files of a data folder that go on in the new one. What is in postgresql.conf is of its version.
var taken = []string{"pg_hba.conf", "pg_ident.conf", "postgresql.auto.conf"}

// misread is what of the files a server of another version can't read.
const misread = `select format('postgresql.auto.conf: there is no %s any more', name) from pg_file_settings f
where sourcefile ~ 'postgresql\.auto\.conf$' and name !~ '\.'
  and not exists (select from pg_settings s where s.name = lower(f.name))
union all select format('pg_hba.conf, line %s: %s', line_number, error) from pg_hba_file_rules where error is not null`

// Configure compares what is in files with what the new server makes of it: names that it does not know, lines of
// pg_hba.conf that it can't read, and what postgresql.conf has set otherwise.
func (h this) Configure(ctx context.Context, server restore.Server) (wrong []string, err error) {
	was, is := h.server(), server.(dump.Container)
	from, to := was.Mounts[dataIn(was.Env)], is.Mounts[dataIn(is.Env)]
	for _, name := range taken {
		if err := take(from, to, name); err != nil {
			return nil, err
		}
	}
	var files map[string]string
	err = h.in(ctx, was, "postgres", func(pg *pgx.Conn) error {
		rows, err := pg.Query(ctx, `select name, setting from pg_settings
where source = 'configuration file' and sourcefile !~ 'postgresql\.auto\.conf$'`)
		if err != nil {
			return err
		}
		files = map[string]string{}
		var name, value string
		_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error { files[name] = value; return nil })
		return err
	})
	if err != nil {
		return nil, err
	}
	err = h.in(ctx, is, "postgres", func(pg *pgx.Conn) (err error) {
		wrong, err = lines(ctx, pg, misread)
		for name, value := range files {
			var now *string
			err := pg.QueryRow(ctx, "select (select setting from pg_settings where name = $1)", name).Scan(&now)
			if err != nil {
				return err
			}
			if now != nil && *now != value {
				wrong = append(wrong, fmt.Sprintf("%s is %s, and was %s", name, *now, value))
			}
		}
		return err
	})
	slices.Sort(wrong)
	return wrong, err
}

// take has a file of a data folder be what it is in another. Both are PostgreSQL's, who may have put a link there.
func take(from, to, name string) error {
	was, err := os.OpenRoot(from)
	if err != nil {
		return err
	}
	defer was.Close()
	content, err := was.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	is, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer is.Close()
	file, err := is.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Close())
}

func (h this) Superuser(ctx context.Context, server restore.Server, folder string) error {
	file, err := os.OpenInRoot(folder, "globals.sql")
	if err != nil {
		return err
	}
	defer file.Close()
	return server.(dump.Container).Superuser(ctx, file)
}

func (h this) Objects(ctx context.Context, server restore.Server) (o Objects, err error) {
	if o, err = read(ctx, server.(dump.Container), h.Database); err != nil {
		return o, err
	}
	tables, err := server.CountIn(ctx, h.Database)
	o.Written.Tables = map[string]int64{largeRows: 0}
	for _, t := range tables {
		o.Written.Tables[t.Name] = t.Rows
	}
	return o, err
}

func (h this) Written(ctx context.Context, since Written) ([]string, int64, error) {
	return written(ctx, h.server(), h.Database, since)
}

func (h this) End(ctx context.Context, server restore.Server) (string, error) {
	if _, err := docker.Run(ctx, "stop", "-t", "300", server.ContainerID()); err != nil {
		return "", err
	}
	c, err := docker.Inspect(ctx, server.ContainerID())
	if err == nil && (c.Running || c.ExitCode != 0) {
		err = die("docker logs "+c.Name, "the new server has not ended as it has to: exit status %d", c.ExitCode)
	}
	return c.Mounts[dataIn(c.Env)], err
}

// Release is not kept once more where the newest one is of what runs.
func (h this) Release(ctx context.Context, what string) error {
	all := release.Of(h.Home)
	content, err := os.ReadFile(filepath.Join(h.Home, composeFile))
	if err != nil {
		return err
	}
	n, err := all.Newest()
	if err != nil || n == 0 {
		return err
	}
	last, err := os.ReadFile(all.File(n, release.Compose))
	if err != nil || string(last) == string(content) {
		return err
	}
	about, err := all.About(n)
	images, e := all.Images(n)
	if err = errors.Join(err, e); err != nil {
		return err
	}
	c := h.server()
	image, err := docker.ImageOf(ctx, c.Named)
	if err != nil {
		return err
	}
	for k, i := range images {
		if i.Service == h.Settings.Server {
			images[k] = release.Image{Service: i.Service, Name: c.Named, ID: c.Image, Role: i.Role,
				Digest: release.DigestOf(c.Named, image.Digests), Config: c.ConfigHash()}
		}
	}
	_, err = all.Add(hostapi.Release{Time: time.Now().UTC().Truncate(time.Second), What: what, Commit: about.Commit},
		content, images)
	return err
}
