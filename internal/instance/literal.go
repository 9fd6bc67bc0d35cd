package instance

import "fmt"

// ParseLiteral returns the values that a text in dotenv format sets, as they are
// written: no $ is expanded. The error tells the line, and quotes nothing of it.
func ParseLiteral(text string) (map[string]string, error) {
	values := literalValues([]byte(text))
	if values == nil {
		return nil, fmt.Errorf("not in dotenv format%s", badLine([]byte(text)))
	}
	return values, nil
}
