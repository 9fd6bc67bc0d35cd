package instance

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Branches is the instance whose env file says how branches are deployed.
const Branches = "branch"

// branchPrefix begins the project of every branch (cookbook, "Compose").
const branchPrefix = "test-"

// maxSlug is the length of the longest slug: with what is put before it, a label
// of the DNS (63 octets, RFC 1035, 2.3.4) and a name of Docker's are far longer.
const maxSlug = 40

var (
	notSlug = regexp.MustCompile(`[^a-z0-9]+`)
	hashed  = regexp.MustCompile(`(^|-)[0-9a-f]{7}$`)
)

// Slug returns the name of a branch in a form that can stand in a host's name,
// a compose project and a label: lower-case letters, digits and dashes. A branch
// that has this form keeps its name; any other gets one that ends in a part of
// its hash, so that no two branches have the same.
func Slug(branch string) (string, error) {
	if strings.TrimSpace(branch) == "" {
		return "", errors.New("the branch has no name")
	}
	slug := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) { // é is e and an accent by now
			return -1
		}
		return r
	}, norm.NFKD.String(strings.ToLower(branch)))
	slug = strings.Trim(notSlug.ReplaceAllString(slug, "-"), "-")
	// One that looks like another's project, or like one with a hash, could be that.
	if slug == branch && len(slug) <= maxSlug && !hashed.MatchString(slug) && !strings.HasPrefix(slug, branchPrefix) {
		return slug, nil
	}
	slug = strings.Trim(slug[:min(len(slug), maxSlug-8)], "-")
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(branch)))[:7]
	return strings.TrimPrefix(slug+"-"+hash, "-"), nil
}

// OfBranch returns what the process environment has beside environ where the
// instance [Branches] in the project at root is to be that of a branch: HOST is
// SLUG.domain.
func OfBranch(root, branch string, environ []string) ([]string, error) {
	slug, err := Slug(branch)
	if err != nil {
		return nil, err
	}
	return ofSlug(root, slug, environ)
}

func ofSlug(root, slug string, environ []string) ([]string, error) {
	name := branchPrefix + slug
	if !projectPattern.MatchString(name) {
		return nil, fmt.Errorf("%q can be no branch's project", name)
	}
	all, err := Load(root, Branches, environ)
	if all == nil {
		return nil, err
	}
	if all.Get("domain") == "" {
		return nil, fmt.Errorf("branches have no domain to answer below\nhint: put domain=… in %s", all.fileFor("domain"))
	}
	host := slug + "." + all.Get("domain")
	return []string{"project=" + name, "home=", "HOST=" + host, "HOST_SLUG=mrs-" + name, "ALLOWED_HOSTS=" + host}, nil
}

// Resolve returns the instance that name means in the project at root, and what
// the process environment has beside environ then: name is that of an env file,
// or of a branch, or the project of a branch (test-SLUG).
func Resolve(root, name string, environ []string) (inst string, more []string, err error) {
	names, err := Names(root)
	if err != nil {
		return "", nil, err
	}
	if set := parseEnviron(environ)["MRS_ENV"]; set != "" {
		over, err := NamesIn(root, set)
		if err != nil {
			return "", nil, err
		}
		names = append(names, over...)
	}
	if slices.Contains(names, name) || !slices.Contains(names, Branches) {
		return name, nil, nil
	}
	if slug, isProject := strings.CutPrefix(name, branchPrefix); isProject && projectPattern.MatchString(name) {
		more, err = ofSlug(root, slug, environ)
	} else {
		more, err = OfBranch(root, name, environ)
	}
	return Branches, more, err
}

// Lookup is [Load] for what [Resolve] makes of name, in this process's
// environment and in the project that is the working directory.
func Lookup(name string) (*Instance, []string, error) {
	as, more, err := Resolve(".", name, os.Environ())
	if err != nil {
		return nil, nil, err
	}
	inst, err := Load(".", as, append(os.Environ(), more...))
	if inst != nil && as != name {
		inst.Name = inst.Project()
	}
	return inst, more, err
}

// Locate is [Lookup] for who looks after an instance, and may lack its secrets: the
// error is only about what keeps it from being found where it runs.
func Locate(name string) (*Instance, error) {
	inst, _, err := Lookup(name)
	if err := Findable(err); err != nil {
		return nil, err
	}
	return inst, nil
}

// Findable returns err, of [Load], without the problems that do not keep an
// instance from being found where it runs: who looks after it may lack its
// secrets.
func Findable(err error) error {
	invalid, ok := errors.AsType[*Invalid](err)
	if !ok {
		return err
	}
	where := slices.DeleteFunc(slices.Clone(invalid.Problems), func(p Problem) bool {
		return !slices.Contains([]string{"server", "ssh_config", "home", "project", "domain"}, p.Name)
	})
	if len(where) == 0 {
		return nil
	}
	return &Invalid{Instance: invalid.Instance, Problems: where}
}
