package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
)

// question is one line of a truth table.
type question struct {
	Mode  string `json:"mode"`
	Text  string `json:"text"`
	OK    any    `json:"ok,omitempty"`
	Error string `json:"error,omitempty"`
}

// table prints count questions with their answers, the same for the same seed.
func table(seed uint64, count int) error {
	grammar := grammar{rand.New(rand.NewPCG(seed, seed))}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	for asked := 0; asked < count; {
		mode := []string{"build", "build", "build", "documents", "json"}[asked%5]
		text := grammar.document()
		answer := ask(mode, text)
		if strings.HasPrefix(answer.Error, "panic") {
			continue
		}
		if err := encoder.Encode(question{mode, text, answer.OK, answer.Error}); err != nil {
			return err
		}
		asked++
	}
	return nil
}

// grammar makes documents that are mostly YAML, with scalars that are easy to get wrong.
type grammar struct{ *rand.Rand }

func (g grammar) pick(choices ...string) string { return choices[g.IntN(len(choices))] }

func (g grammar) digits(most int) string {
	var out strings.Builder
	for range 1 + g.IntN(most) {
		out.WriteByte(byte('0' + g.IntN(10)))
		if g.IntN(12) == 0 {
			out.WriteByte('_')
		}
	}
	return out.String()
}

func (g grammar) number() string {
	sign := g.pick("", "", "-", "+")
	switch g.IntN(6) {
	case 0:
		return sign + g.pick("0x", "0X", "0o", "0b", "0B", "0") + g.pick(g.digits(8), "ff", "1F", "1010", "8", "")
	case 1:
		return sign + g.digits(22)
	case 2:
		return sign + g.pick(g.digits(9), "") + "." + g.pick(g.digits(9), "") + g.pick("", "e"+g.digits(2), "E-"+g.digits(2))
	case 3:
		return sign + g.digits(3) + ":" + g.digits(2) + g.pick("", ":"+g.digits(2), "."+g.digits(2))
	case 4:
		return sign + g.digits(4) + g.pick("e", "E") + g.pick("", "-", "+") + g.digits(3)
	default:
		return g.pick(".inf", "-.Inf", ".NaN", ".nan", "+.INF", "1e400", "-0", "-0.0", "0.1", "1e21", "1e20", "123456789.5")
	}
}

func (g grammar) date() string {
	part := func(most int) string { return fmt.Sprintf(g.pick("%d", "%02d"), g.IntN(most+1)) }
	date := g.pick("2001", "1999", "0001", "20011") + "-" + part(13) + "-" + part(32)
	if g.IntN(3) == 0 {
		return date
	}
	return date + g.pick("T", "t", " ", "  ") + part(24) + ":" + part(60) + ":" + part(60) +
		g.pick("", ".5", ".123456789", ",5") + g.pick("", "Z", "z", "+01:00", "-23:59", "+24:00", " Z")
}

var words = strings.Fields("true True TRUE false yes no on off y n Y N null Null ~ << = - ? : -- --- ... a b.c é 日本 it's " +
	"\"q\" a: b:c #x x#y @at `tick` %p &a *b !t |x >y [ ] { } , [a] {a} \\ 1Gi 100m :80 a:80 http://x/y?z=1 -x ?x :x")

func (g grammar) text() string {
	switch g.IntN(7) {
	case 0:
		return g.number()
	case 1:
		return g.date()
	case 2:
		return g.pick(words...)
	case 3:
		var out strings.Builder
		for range g.IntN(12) {
			out.WriteString(g.pick("a", "b", "1", " ", ":", "#", "-", ".", "'", "\"", "\\", ",", "[", "]", "{", "}", "&", "*", "!",
				"|", ">", "%", "@", "`", "?", "\t", "\n", "é", "😀", "\u00a0", "\x07"))
		}
		return out.String()
	case 4, 5:
		var some []string
		for range 1 + g.IntN(30) {
			some = append(some, g.pick(words...))
		}
		return strings.Join(some, g.pick(" ", " ", "  "))
	default:
		var lines []string
		for range 1 + g.IntN(7) {
			lines = append(lines, g.pick("", "  ", " ", "a", "a b", "  c", "\td", "e ", "# f", "- g"))
		}
		return strings.Join(lines, "\n")
	}
}

func (g grammar) scalar() string {
	text := g.text()
	switch g.IntN(6) {
	case 0, 1:
		quoted, _ := json.Marshal(text)
		return string(quoted)
	case 2:
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	case 3:
		return g.pick("|", ">") + g.pick("", "-", "+", "2", "2-") + "\n    " + strings.ReplaceAll(text, "\n", "\n    ")
	case 4:
		return g.pick("!!str ", "!!int ", "!!float ", "!!binary ", "! ", "!x ", "") + g.number()
	default:
		return text
	}
}

func (g grammar) document() string {
	head := "apiVersion: v1\nkind: A\nmetadata: {name: x}\n"
	switch g.IntN(6) {
	case 0, 1:
		return head + "v: " + g.scalar() + "\n"
	case 2:
		key, _ := json.Marshal(g.text())
		return head + "v:\n  " + string(key) + ": " + g.scalar() + "\n  z: [1]\n"
	case 3:
		return head + "v:\n- " + g.scalar() + "\n- k: " + g.scalar() + "\n- - " + g.scalar() + "\n"
	case 4:
		return head + "a: &a {x: " + g.number() + ", y: [" + g.pick(words...) + ", ]}\nb: *a\nc:\n  <<: " +
			g.pick("*a", "[*a, {x: 1}]", "1") + "\n  x: 2\n"
	default:
		lines := strings.Split(head+"v: "+g.scalar()+"\nw:\n- 1\n- b: c\n", "\n")
		lines[g.IntN(len(lines))] += g.pick(" # c", ":", "\t", " |", "'", "\"", " &a", " *a", "\r", "\n---", "\n...", "\n  x")
		return strings.Join(lines, "\n")
	}
}
