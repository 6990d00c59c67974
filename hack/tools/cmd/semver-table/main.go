// Command semver-table prints the answers of github.com/Masterminds/semver/v3 that crates/semver is tested against:
// for each constraint one letter per version (y, n), or e when the constraint is refused.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/Masterminds/semver/v3"
)

var versions = strings.Fields(`
0.0.0 0.0.1 0.0.2 0.1.0 0.1.1 0.2.0 0.2.3 0.2.4 0.3.0 1.0.0 1.0.1 1.1.0 1.1.1 1.2.0 1.2.2 1.2.3 1.2.4 1.3.0 1.9.9
2.0.0 2.0.1 2.1.0 2.3.4 3.0.0 3.1.4 10.0.0 11.0.0 11.1.0 11.2.0 12.0.0 v1.2.3 v2 1.2 1 1.0.0+build 1.2.3+b.1
0.0.0-0 0.0.0-alpha 0.2.3-rc.1 1.0.0-0 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11
1.0.0-rc.1 1.2.3-beta 1.2.3-beta.2 1.2.3-rc.10 1.2.4-alpha 1.3.0-dev 2.0.0-0 2.0.0-rc.1+b 2.1.0-x-y-z.1 11.1.0-pre 01.02.03`)

var constraints = []string{
	"*", "x", "X", "x.x", "*.1", "", " ", "0", "1", "1.2", "1.2.3", "v1.2.3", "=1.2.3", "==1.2.3", "= 1.2.3", "1.x", "1.X.x", "1.*", "1.2.x",
	"1.2.*", "1.x.3", "1.2.3-beta", "1.2-beta", "1-beta", "1.x-beta", "*-0", "*-beta", "x-rc.1", ">*", ">=*", "<*", "<=*", "!=*", "~*", "~>*", "^*",
	"^*-0", "~0", "~0.0", "~0.0.0", "~0.0.1", "~0.1", "~1", "~1.x", "~1.2", "~1.2.x", "~1.2.3", "~> 1.2.3", "~>1.2", "~1.2.3-beta", "~1.0.0-alpha", "~1.0.0-0",
	"~0.0.0-0", "^0", "^0.0", "^0.0.0", "^0.0.1", "^0.0.x", "^0.x", "^0.1", "^0.2", "^0.2.3", "^0.2.3-rc.1", "^1", "^1.x", "^1.2", "^1.2.x", "^1.2.3",
	"^1.2.3-beta.2", "^1.0.0-0", "^v1.2.3", "^ 1.2", "^11", "!=1", "!=1.x", "!=1.2", "!=1.2.x", "!=1.2.3", "!= 1.2.3", "!=1.2-beta", "!=1.2.3-beta", "!=1-0",
	">1", ">1.x", ">1.2", ">1.2.3", "> 1.2.3", ">11", ">11.1", ">11.1.0-0", ">1.0.0-alpha", ">=1", ">=1.2", ">=1.2.3", "=>1.2.3", "=> 1.2", ">=1.0.0-0",
	">=1.0.0-beta.2", ">=1.x", ">= 0.0.0-0", "<1", "<1.2", "<1.2.3", "<1.x", "< 2.0.0", "<2.0.0-0", "<1.0.0-beta.11", "<=1", "<=1.2", "<=1.2.3", "=<1.2.3",
	"=< 1.2", "<=1.x", "<=11.1", "<=1.2.3-beta", "<=2-0", ">=1.0.0 <2.0.0", ">=1.0.0, <2.0.0", ">=1.0.0,<2.0.0", ">= 1.0.0 , < 2.0.0", ">=1.0.0<2.0.0",
	">=1.0.0-0 <2.0.0", ">=1.0.0 <2.0.0-0", "^1.2 !=1.2.3", "~1.2 !=1.2.x", ">1 <3 !=2", "1.2.3 || 2.x", "1.2.3||2.x", "^1 || ^2.1.0-0", "<0.1||>11", "1 || ", "|| 1",
	"1.2.3|2", "1 2", "1.0.0 1.0.0", "1.2 - 2.0", "1.2.3 - 1.3.0", "1.2.3  -  2", "1 - 2.1", "v1.2.3 - v2.1", "1.0.0-0 - 1.2.3", "1.0.0 - 2.0.0-rc.1",
	"0.1 - 0.2 || 3 - 10", "1 -2", "1- 2", "1-2", "1.0.0 - 1.1.0 1.1", "<2 1.0 - 1.2", "1.0 - 1.2 <1.2", "1.0 - 1.2, <1.2", "^1.0 - 2.0", "1.2.3 - x", "x - 2", "1.2.3.4", "1.2.3.4 - 5",
	"a", "1.a", "1.2.3-", "1.2.3+", "1.2.3+b.1", "=1.2.3+other", "1.2.3-beta+b", "1.2.3-01", "1.2.3-b..c", ">", ">=", "^", "!", "!1", "<>1", "><1", ">>1", "~~1", "~^1", "^>1",
	">=1.0.0,", ",1", "1,,2", "1 ,", "01.2.3", ">=01.2", "xx", "1x", "x1", "1.xx", "99999999999999999999", ">=1.99999999999999999999", "latest", "1.2.3 ", " 1.2.3",
	"\t1.2.3\n", ">=1\n<2", "1.2.3 foo", "v", "vv1", "V1.2.3", ">=v1.2.0", "<= v2.0", "~v1.2", "*.*.*", ">=1.2.3-beta <1.2.4", ">=1.2.3-beta <1.2.4-0", ">=0.0.0-0", ">0.0.0-0",
	"1.2.3-beta || 2.0.0", "1.2.3 || 2.0.0-rc.1", "~1.2.3 || ~2.1.0-x", "^1.2.3 ^1.3", "^1 ^2", "^1,~1.2", ">=1.0.0-alpha,<=1.0.0-rc.1", "!=1.0.0-beta,>=1.0.0-alpha,<1.0.0",
}

var texts = strings.Fields(`1 1.2 1.2.3 v1.2.3 V1.2.3 vv1 1.2.3.4 01.2.3 1.02.3 1.2.03 1.2.3-01 1.2.3-0 1.2.3-a..b 1.2.3- 1.2.3+ 1.2.3+a..b 1.2.3+01 1.2.3-rc.1+b a 1.a
-1 1.-2 +1 1.2.3-é 99999999999999999999 18446744073709551615.0.0 18446744073709551616.0.0 1.2.3--1 1.2.3-0a 1..2 .1 1. 1.2.-3 v 1.2.3-1.02 1-rc 1.2-rc.1 v1-rc+x 1.2.3_4`)

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	parsed := make([]*semver.Version, len(versions))
	for i, text := range versions {
		parsed[i] = semver.MustParse(text)
	}
	fmt.Fprintf(out, "versions\t%s\n", strings.Join(versions, " "))
	for _, text := range constraints {
		answers := "e"
		if constraint, err := semver.NewConstraint(text); err == nil {
			letters := make([]byte, len(parsed))
			for i, version := range parsed {
				letters[i] = 'n'
				if constraint.Check(version) {
					letters[i] = 'y'
				}
			}
			answers = string(letters)
		}
		fmt.Fprintf(out, "constraint\t%q\t%s\n", text, answers)
	}
	for i, text := range versions {
		letters := make([]byte, len(parsed))
		for j, other := range parsed {
			letters[j] = "<=>"[parsed[i].Compare(other)+1]
		}
		fmt.Fprintf(out, "compare\t%q\t%s\n", text, letters)
	}
	for _, text := range texts {
		loose, strict := "e", "e"
		if version, err := semver.NewVersion(text); err == nil {
			loose = version.String()
		}
		if version, err := semver.StrictNewVersion(text); err == nil {
			strict = version.String()
		}
		fmt.Fprintf(out, "parse\t%q\t%s\t%s\n", text, loose, strict)
	}
}
