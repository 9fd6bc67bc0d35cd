package drain

import "testing"

func TestAMasterThatHasNobodyLeftIsTold(t *testing.T) {
	// dumb-init, bash, the master, a worker and a spooler, as docker inspect tells the first of them.
	const first, shell, master, worker, spooler, job = 40, 41, 42, 43, 44, 45
	tree := func(change map[int]process) map[int]process {
		all := map[int]process{
			1: {0, "systemd", false}, first: {1, "dumb-init", false}, shell: {first, "bash", false},
			master: {shell, "uwsgi", false}, worker: {master, "uwsgi", true}, spooler: {master, "uwsgi", true},
			// Another container's.
			90: {1, "uwsgi", false}, 91: {90, "uwsgi", false},
		}
		for id, p := range change {
			all[id] = p
		}
		return all
	}
	for name, test := range map[string]struct {
		change map[int]process
		idle   bool
	}{
		"all have ended":                          {nil, true},
		"a worker has a request":                  {map[int]process{worker: {master, "uwsgi", false}}, false},
		"a spooler has a job":                     {map[int]process{spooler: {master, "uwsgi", false}}, false},
		"what a master has started beside":        {map[int]process{job: {master, "python3", false}}, false},
		"the master is the container's first one": {map[int]process{first: {1, "uwsgi", false}, shell: {first, "uwsgi", true}, master: {first, "uwsgi", true}}, true},
		"the master has ended":                    {map[int]process{master: {shell, "uwsgi", true}}, false},
		"there is no uWSGI":                       {map[int]process{master: {shell, "gunicorn", false}}, false},
		"the container has gone":                  {map[int]process{first: {}, shell: {}, master: {}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := idleMaster(tree(test.change), first); got != test.idle {
				t.Errorf("it is %v", got)
			}
		})
	}
}

func TestAProcessIsReadWhateverItIsCalled(t *testing.T) {
	for text, want := range map[string]process{
		"42 (uwsgi) S 41 42 42 0 -1\n": {41, "uwsgi", false},
		"42 (a) Z (b) Z 7 1 1\n":       {7, "a) Z (b", true},
	} {
		if id, got, ok := parseStat(text); id != 42 || got != want || !ok {
			t.Errorf("%q: %d, %+v, %v", text, id, got, ok)
		}
	}
	for _, text := range []string{"", "42 (uwsgi", "x (uwsgi) S 1 1", "42 (uwsgi) S", "42 (uwsgi) S x"} {
		if _, _, ok := parseStat(text); ok {
			t.Errorf("%q is one", text)
		}
	}
}
