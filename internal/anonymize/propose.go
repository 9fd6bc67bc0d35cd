package anonymize

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// proposal is what a column's rule may be.
type proposal struct {
	rule      Rule
	uncertain string // why somebody has to look at it
}

// text writes the rule as a file of rules has it.
func (p proposal) text() string { return ruleText(p.rule, "") }

// ruleText writes a rule; the paths of a document are indented by more than
// indent.
func ruleText(r Rule, indent string) string {
	switch {
	case r.Kind == Fixed || r.Kind == Template:
		return fmt.Sprintf("{%s: %s}", r.Kind, quoted(r.Text))
	case r.Sex != "":
		return fmt.Sprintf("{%s: {sex: %s}}", r.Kind, quoted(r.Sex))
	case r.Kind == JSON:
		var b strings.Builder
		b.WriteString("\n" + indent + "  json:")
		for _, path := range sorted(r.Paths) {
			fmt.Fprintf(&b, "\n%s    %s: %s", indent, quoted(path), ruleText(r.Paths[path], indent+"    "))
		}
		if len(r.Paths) == 0 {
			return "{json: {}}"
		}
		return b.String()
	}
	return string(r.Kind)
}

// plainText are the words that YAML takes for no more than they are.
var plainText = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

func quoted(text string) string {
	if plainText.MatchString(text) && !slices.Contains([]string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(text)) {
		return text
	}
	b, _ := json.Marshal(text) // JSON's strings are YAML's
	return string(b)
}

// meanings are what names of columns mean, in French and English; the first that
// fits counts.
var meanings = []struct {
	name *regexp.Regexp
	kind Kind
}{
	{regexp.MustCompile(`^pass(word|wd)?$|mot_?de_?passe|secret|api_?key|^hash(ed)?_?pass`), Fixed},
	{regexp.MustCompile(`token|session_?key|jeton|^cle$|nonce`), Hash},
	{regexp.MustCompile(`e_?mail|courriel|^mel$|(^|_)mail$`), Email},
	{regexp.MustCompile(`^(first|given)_?name$|prenom|^forename`), FirstName},
	{regexp.MustCompile(`^(last|family|sur)_?name$|^nom(_de_famille|_usage|_naissance)?$|patronyme`), LastName},
	{regexp.MustCompile(`full_?name|nom_?complet|^nom_?prenom|^display_name$|^author$|signataire|beneficiaire$`), FullName},
	{regexp.MustCompile(`birth_?(date|day)|date_?(de_?)?naissance|^dob$|^naissance$|^ne_le$`), BirthDate},
	{regexp.MustCompile(`^nir$|_nir$|^nir_|nir_?assure|secu(rite)?_?soc|^insee$|social_?security|^ssn$`), NIR},
	{regexp.MustCompile(`^tel|_tel$|phone|mobile|portable|^fax|_fax$`), Phone},
	{regexp.MustCompile(`iban|^rib$|bank_?account|compte_?bancaire`), IBAN},
	{regexp.MustCompile(`address|adresse|street|^rue$|^voie$|^ville$|^city$|^town$|commune|code_?postal|post_?code|zip`), Address},
	{regexp.MustCompile(`comment|^note|_note(s)?$|remarque|observation|description|message|^motif|reason|^texte?$|^body$|^content$`), FreeText},
	{regexp.MustCompile(`filename|nom_?fichier|file_name`), FreeText},
	{regexp.MustCompile(`(^|_)ip(_|$)|ip_?address|remote_?addr|user_?agent|adeli|matricule|finess|^login$|^username$|identifiant`), Hash},
}

// nobodys are the names of columns that are nobody's, as far as a name can tell.
var nobodys = regexp.MustCompile(`^(code|codename|app|app_label|model|slug|locale|lang(uage)?|timezone|currency|version|state|status|statut|type|kind|category|order|position|rank|domain)$`)

// passing are the tables of which nobody needs the rows elsewhere: sessions,
// tokens, logs, queues and caches, Django's and others'.
var passing = regexp.MustCompile(`(^|_)(session|sessions|authtoken_token|token|tokens|admin_log|easyaudit_\w+|axes_\w+|reversion_\w+|celery_\w+|taskresult|cache|cache_table|otp_\w+|captcha\w*|emailconfirmation|log_?entry|logentry|silk_\w+)$`)

// fromSource are tables that an application fills from its own source: Django's.
var fromSource = regexp.MustCompile(`^(auth_permission|django_content_type|django_migrations)$`)

var shapes = []struct {
	shape *regexp.Regexp
	kind  Kind
}{
	{regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$`), Email},
	{regexp.MustCompile(`^[12378] ?\d\d ?\d\d ?(\d\d|2[ABab]) ?\d{3} ?\d{3}( ?\d\d)?$`), NIR},
	{regexp.MustCompile(`^[A-Z]{2}\d\d ?([0-9A-Z]{4} ?){3,7}[0-9A-Z]{0,3}$`), IBAN},
	{regexp.MustCompile(`^(\+33 ?|0)[1-9]([ .-]?\d\d){4}$`), Phone},
	{regexp.MustCompile(`^(\d\d/\d\d/(19|20)\d\d|(19|20)\d\d-\d\d-\d\d)$`), BirthDate},
	{regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`), UUID},
}

// shapeOf returns what at least nine in ten of the values look like.
func shapeOf(values []string) Kind {
	for _, s := range shapes {
		n, some := 0, 0
		for _, v := range values {
			if v = strings.TrimSpace(v); v != "" {
				some++
				if s.shape.MatchString(v) {
					n++
				}
			}
		}
		if some > 0 && n*10 >= some*9 {
			return s.kind
		}
	}
	return ""
}

// propose guesses a column's rule by its name, its type, and what a sample of its
// values looks like. Where it is not sure, it hides.
func propose(t *Table, c *Column, values []string) proposal {
	kind := typeOf(c.Type, c.Length).class
	if t != nil && kind == textClass && fromSource.MatchString(t.Name) {
		return proposal{Rule{Kind: Public}, ""}
	}
	shape := shapeOf(values)
	meant := meaning(c.Name)
	switch {
	case c.References != "":
		return proposal{Rule{Kind: Keep}, ""}
	case kind == jsonClass:
		return proposeDocument(values)
	case kind == boolClass:
		return proposal{Rule{Kind: Keep}, ""}
	case kind == dateClass || kind == timestampClass:
		if meant == BirthDate {
			return proposal{Rule{Kind: BirthDate}, ""}
		}
		return proposal{Rule{Kind: Keep}, ""}
	case kind == uuidClass:
		if c.Unique || meant != Hash {
			return proposal{Rule{Kind: Keep}, ""}
		}
		return proposal{Rule{Kind: UUID}, ""}
	case kind == integerClass || kind == numericClass || kind == floatClass:
		if meant == "" || c.Unique {
			return proposal{Rule{Kind: Keep}, ""}
		}
		return proposal{Rule{Kind: Hash}, "its name is that of something personal, its type a number's"}
	case kind == byteaClass:
		return proposal{hide(c, Hash), "nobody can tell what bytes are"}
	case kind == arrayClass:
		return proposal{hide(c, Null), "a list"}
	case kind != textClass:
		if c.Type == "inet" || c.Type == "cidr" {
			return proposal{Rule{Kind: Fixed, Text: "192.0.2.1"}, ""} // RFC 5737: nobody's
		}
		return proposal{Rule{Kind: Keep}, "a type that is not known: " + c.Type}
	}
	switch {
	case meant == Fixed:
		return proposal{Rule{Kind: Fixed, Text: "!"}, ""} // what no password's hash is, Django's or others'
	case meant != "" && shape != "" && meant != shape:
		return proposal{unique(c, shape), fmt.Sprintf("its name says %s, its values look like %s", meant, shape)}
	case meant != "":
		return proposal{unique(c, meant), ""}
	case shape == UUID:
		return proposal{Rule{Kind: Keep}, "its values are UUIDs: are they a secret?"}
	case shape != "":
		return proposal{unique(c, shape), "by its values alone"}
	case nobodys.MatchString(strings.ToLower(c.Name)):
		return proposal{Rule{Kind: Keep}, "by its name alone"}
	case strings.EqualFold(c.Name, "name") || strings.EqualFold(c.Name, "label") || strings.EqualFold(c.Name, "libelle"):
		if few(values) {
			return proposal{Rule{Kind: Public}, "few values, so the name of things and not of people?"}
		}
		return proposal{unique(c, FullName), "of people, or of things?"}
	case few(values):
		return proposal{Rule{Kind: Keep}, "few values: a choice?"}
	}
	return proposal{unique(c, FreeText), "nothing tells what it is"}
}

func meaning(name string) Kind {
	name = strings.ToLower(name)
	for _, m := range meanings {
		if m.name.MatchString(name) {
			return m.kind
		}
	}
	return ""
}

// few reports whether many values are a few different ones.
func few(values []string) bool {
	if len(values) < 50 {
		return false
	}
	distinct := map[string]bool{}
	for _, v := range values {
		distinct[v] = true
	}
	return len(distinct) <= 12
}

// hide is a rule for what may not be NULL, or may.
func hide(c *Column, otherwise Kind) Rule {
	if c.NotNull {
		return Rule{Kind: otherwise}
	}
	return Rule{Kind: Null}
}

// unique is a rule of a kind, or one that keeps a unique column so.
func unique(c *Column, kind Kind) Rule {
	if c.Unique && kind != NIR && kind != Email && kind != UUID && kind != IBAN {
		kind = Hash
	}
	return Rule{Kind: kind}
}

// proposeDocument guesses the rules of the paths that documents have.
func proposeDocument(values []string) proposal {
	paths := map[string][]string{}
	for _, v := range values {
		var doc any
		decoder := json.NewDecoder(strings.NewReader(v))
		decoder.UseNumber()
		if decoder.Decode(&doc) == nil {
			leaves(doc, "", paths)
		}
	}
	rule := Rule{Kind: JSON, Paths: map[string]Rule{}}
	for path, values := range paths {
		name := path[strings.LastIndexByte(path, '.')+1:]
		p := propose(nil, &Column{Name: strings.TrimSuffix(name, "[]"), Type: "text"}, values)
		if plainPath.MatchString(path) {
			rule.Paths[path] = p.rule
		}
	}
	return proposal{rule, "what no path names is removed"}
}

// plainPath are the paths that rules can name.
var plainPath = regexp.MustCompile(`^[^.\[\]]+(\[\])*(\.[^.\[\]]+(\[\])*)*$`)

// Propose returns a first file of rules for a database, guessed from its schema
// and from samples of its values, by table.column as rules name it, of which it
// shows none. What somebody has to look at is marked as uncertain.
func Propose(s *Schema, samples map[string][]string) []byte {
	var b strings.Builder
	b.WriteString("# What is done to each column when the database is copied. This is a first guess: read it, above all what is\n" +
		"# uncertain, and take the marks off.\n")
	if s.LargeObjects > 0 {
		b.WriteString("\n# uncertain: nobody can tell what is in large objects\nlargeObjects: drop\n")
	}
	b.WriteString("\ntables:\n")
	for _, t := range roots(s.Tables) {
		if passing.MatchString(strings.ToLower(t.Name)) && !referred(s, t) {
			fmt.Fprintf(&b, "  %s: empty\n\n", quoted(t.Called()))
			continue
		}
		sex := ""
		for _, c := range t.Columns {
			if p := propose(t, &c, samples[t.Called()+"."+c.Name]); p.rule.Kind == NIR {
				sex = c.Name
			}
		}
		var lines []string
		for _, c := range t.Columns {
			if c.Generated {
				continue
			}
			p := propose(t, &c, samples[t.Called()+"."+c.Name])
			if p.rule.Kind == FirstName {
				p.rule.Sex = sex
			}
			text := ruleText(p.rule, "    ")
			line := "    " + quoted(c.Name) + ":"
			if p.uncertain != "" && strings.HasPrefix(text, "\n") {
				line += " # uncertain: " + p.uncertain + text
			} else {
				line = line + strings.TrimSuffix(" "+text, " ")
				if strings.HasPrefix(text, "\n") {
					line = "    " + quoted(c.Name) + ":" + text
				}
				if p.uncertain != "" {
					line += " # uncertain: " + p.uncertain
				}
			}
			lines = append(lines, line)
		}
		if len(lines) == 0 {
			fmt.Fprintf(&b, "  %s: {}\n\n", quoted(t.Called()))
			continue
		}
		fmt.Fprintf(&b, "  %s:\n%s\n\n", quoted(t.Called()), strings.Join(lines, "\n"))
	}
	return []byte(strings.TrimRight(b.String(), "\n") + "\n")
}

// referred reports whether rows of other tables refer to a table's.
func referred(s *Schema, t *Table) bool {
	return slices.ContainsFunc(s.ForeignKeys, func(k ForeignKey) bool { return k.References == t.full() && k.Table != t.full() })
}
