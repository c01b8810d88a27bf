package event_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// decoded reads a message into a new value of the type of an example.
func decoded(t *testing.T, data []byte, like any) any {
	t.Helper()
	v := reflect.New(reflect.TypeOf(like))
	if err := json.Unmarshal(data, v.Interface()); err != nil {
		t.Fatalf("%T: %v", like, err)
	}
	return v.Elem().Interface()
}

// Every message of the version before is read whole: nothing of it is lost when it is
// written again. testdata/before has them; a release replaces it by testdata.
func TestSkewReadsMessagesOfTheVersionBefore(t *testing.T) {
	files, err := filepath.Glob("testdata/before/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		like, ok := messages[name]
		if !ok {
			t.Errorf("%s: no message of that kind is known any more: components of the version before still publish it", name)
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(decoded(t, data, like))
		if err != nil {
			t.Fatal(err)
		}
		var was, is any
		if err := json.Unmarshal(data, &was); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(again, &is); err != nil {
			t.Fatal(err)
		}
		wantWithin(t, name, was, is)
	}
}

// wantWithin wants everything in was to be in is, which may have more fields.
func wantWithin(t *testing.T, path string, was, is any) {
	t.Helper()
	switch was := was.(type) {
	case map[string]any:
		now, _ := is.(map[string]any)
		for name, value := range was {
			wantWithin(t, path+"."+name, value, now[name])
		}
	case []any:
		now, _ := is.([]any)
		if len(now) != len(was) {
			t.Errorf("%s: %v is lost: now %v", path, was, is)
			return
		}
		for i := range was {
			wantWithin(t, path+"[]", was[i], now[i])
		}
	default:
		if !cmp.Equal(was, is) {
			t.Errorf("%s: %v is lost: now %v", path, was, is)
		}
	}
}

// Fields that a later version has added are ignored, wherever they are.
func TestSkewIgnoresFieldsOfALaterVersion(t *testing.T) {
	for name, like := range messages {
		data, err := json.Marshal(like)
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := json.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		later, err := json.Marshal(withUnknown(reflect.TypeOf(like), doc))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(later), "of_a_later_version") == 0 {
			t.Fatalf("%s: nothing was added", name)
		}
		if diff := cmp.Diff(decoded(t, data, like), decoded(t, later, like)); diff != "" {
			t.Errorf("%s: (-without +with an unknown field):\n%s", name, diff)
		}
	}
}

// withUnknown adds a field to every object that is no map of this program.
func withUnknown(like reflect.Type, doc any) any {
	for like.Kind() == reflect.Pointer {
		like = like.Elem()
	}
	switch doc := doc.(type) {
	case map[string]any:
		if like.Kind() != reflect.Struct {
			return doc
		}
		for i := range like.NumField() {
			f := like.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if value, ok := doc[name]; ok {
				doc[name] = withUnknown(f.Type, value)
			}
		}
		doc["of_a_later_version"] = map[string]any{"unknown": []any{1, "x", nil}}
	case []any:
		if like.Kind() == reflect.Slice {
			for i := range doc {
				doc[i] = withUnknown(like.Elem(), doc[i])
			}
		}
	}
	return doc
}
