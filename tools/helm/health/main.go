// What others say of the health of objects: a JSON list of them on standard input, a JSON list of {name, status, message} on
// standard output, in the same order.
//
//	health           as kstatus, by which Flux, helm and others tell whether an object is ready
//	health FILE.lua  as Argo CD with that health check, in an interpreter that is given what Argo CD gives its own
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type verdict struct {
	Name    string `json:"name"`
	Status  string `json:"status"`
	Message string `json:"message"`
}

func askKstatus(object *unstructured.Unstructured) (verdict, error) {
	result, err := status.Compute(object)
	if err != nil {
		return verdict{}, err
	}
	return verdict{object.GetName(), result.Status.String(), result.Message}, nil
}

// toLua makes a table of what JSON has become, as Argo CD does.
func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		table := state.NewTable()
		for _, one := range value {
			table.Append(toLua(state, one))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for name, one := range value {
			table.RawSetString(name, toLua(state, one))
		}
		return table
	}
	return lua.LNil
}

func askScript(script string, object *unstructured.Unstructured) (verdict, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, library := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		state.Push(state.NewFunction(library))
		state.Push(lua.LString(name))
		state.Call(1, 0)
	}
	state.SetGlobal("obj", toLua(state, object.Object))
	if err := state.DoString(script); err != nil {
		return verdict{}, err
	}
	answer, isTable := state.Get(-1).(*lua.LTable)
	if !isTable {
		return verdict{}, fmt.Errorf("the script returned %s, not a table", state.Get(-1).Type())
	}
	return verdict{object.GetName(), answer.RawGetString("status").String(), answer.RawGetString("message").String()}, nil
}

func main() {
	log.SetFlags(0)
	ask := askKstatus
	if len(os.Args) > 1 {
		script, err := os.ReadFile(os.Args[1])
		if err != nil {
			log.Fatal(err)
		}
		ask = func(object *unstructured.Unstructured) (verdict, error) { return askScript(string(script), object) }
	}
	var objects []*unstructured.Unstructured
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		log.Fatal(err)
	}
	verdicts := []verdict{}
	for _, object := range objects {
		said, err := ask(object)
		if err != nil {
			log.Fatalf("%s: %v", object.GetName(), err)
		}
		verdicts = append(verdicts, said)
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdicts); err != nil {
		log.Fatal(err)
	}
}
