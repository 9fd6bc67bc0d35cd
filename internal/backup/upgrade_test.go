package backup

import (
	"strings"
	"testing"
)

func TestAnUpgradeThatIsNotMeantIsRefusedBeforeAnybodyIsAsked(t *testing.T) {
	for want, o := range map[string]UpgradeOptions{
		`-image="" is no image`:             {},
		`-image="--privileged" is no image`: {Image: "--privileged"},
		`-image="a b" is no image`:          {Image: "a b"},
		"-lose is for -back":                {Image: "postgres:15", Lose: true},
		"-back goes to the image that was":  {Image: "postgres:15", Back: true},
	} {
		err := UpgradePostgres(t.Context(), "nobody", o)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", o, err, want)
		}
	}
}
