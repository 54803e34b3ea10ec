/** Tables, keys and values of main.cf in which two readers could differ. */

/** A table's source and the keys to ask for. */
export interface TableCase {
  readonly type: string;
  readonly source: string;
  readonly keys: readonly string[];
}

const of = (type: string) => (source: string, ...keys: string[]): TableCase => {
  return { type, source, keys };
};
const text = of("texthash"), regexp = of("regexp"), cidr = of("cidr");

export const TABLES: readonly TableCase[] = [
  text(
    `# comment
a b   c \t
  # not the end
  d
USER@Example.COM x
"joe doe"@example.com joe
with\\ space two
no\u00a0break three
twice first
twice second
alone
\u00e4 \u00f6
return \r
  more\r

after end`,
    ...[
      "a",
      "A",
      "user@example.com",
      "USER@EXAMPLE.COM",
      '"joe doe"@example.com',
      '"joe',
      "joe doe",
    ],
    ...["with\\ space", "with\\", "no\u00a0break", "no", "twice", "alone", "\u00e4", "return"],
    ...["after", "#", "d", "more"],
  ),
  regexp(
    `/^(a|ab)(c|bcd)(d*)$/ <$1><\${2}><$(3)> $$1
!/^[a-z@.]+$/ other
if /@/
if !/^x/
/^(.*)@(.*)\\.example$/ $2 of $1
endif
/@second/ second
endif
/AB/i case
/ab/ any
`,
    ...["abcd", "a1", "u@d.example", "xu@d.example", "x@second", "ab", "cab", "zzz"],
  ),
  regexp("/^([\\w.]+)$/ <$1>\n", "\\w", "w.", "abc"),
  regexp("/^[]a-]+$/ x\n", "]a", "a-]", "b"),
  regexp("/^[[:alpha:]_[:digit:]]+$/ x\n", "aZ9_", "a b", "\u00e4"),
  regexp("/^[A-z]$/ x\n/^[A-z]$/i y\n", "_", "a", "^"),
  regexp("/^[[.a.]-[.c.]]+[[=d=]]$/ x\n", "abcd", "d"),
  regexp("/[a-c-e]/ x\n/[z-a]/ x\n/[[:no:]]/ x\n/./ rest\n", "d"),
  regexp("/^a{,2}b$/ x\n/^(a{2}){2}c**$/ <$1>\n", "aab", "aaab", "aaaaccc", "aaa"),
  regexp("/^.{1,1000}$/ x\n", "a".repeat(1000), "a".repeat(1001)),
  regexp("/(.*?)(.*)/ <$1><$2>\n", "ab"),
  regexp("/^a)$/ x\n/*a/ y\n/a{/ z\n/(/ w\n", "a)", "*a", "a{", "("),
  regexp("/\\<(foo|[[:digit:]]+)\\>/ <$1>\n", "x 12.", "foo", "afoo", "foob"),
  regexp("/\\`a\\w\\W\\s\\S\\B.\\'/ x\n", "ab- xy", "ab- x"),
  regexp(
    "/(wee|week)(knights|night)/ <$1><$2>\n/(foo|foobar)(bar)?/ <$1><$2>\n",
    "weeknights",
    "foobar",
  ),
  regexp("/^((a)|b)*$/ <$1><$2>\n/^(x)?(y*)z/ <$1><$2>\n", "ab", "ba", "z", "xyyz"),
  regexp("/^..$/ two\n/^x(.*)y$/ <$1>\n/^\u00c4$/ capital\n", "\u00e4", "x\u00e4\u00f6y", "\u00c4"),
  regexp("/^\\(a\\{2\\}\\)(b)*+$/x <$1>\n/\\(^*c\\)/x <$1>\n", "aa(b)))+", "*c", "c"),
  regexp("/a^b$c/x x\n/^d\\|e\\?f$/x y\n", "a^b$c", "d", "xef", "xf"),
  regexp("/(a)/ $1st\n/(a)/ $2\n/(a)/ ${1?x}\n/(a)/ $\n!/b/ $1\n! !/a/ good\n", "a"),
  regexp("|^a\\|b/| x\n/c\\/d/ y\n", "a|b/", "c/d", "b/"),
  cidr(
    `192.0.2.1 one
192.0.2.0/24 net
10.0.0.1/8 bad
300.0.0.0/8 bad
!0.0.0.0/1 high
if 10.0.0.0/8
10.1.0.0/16 inner
endif
! !10.0.0.0/8 ten
[2001:db8::]/32 six
[2001:db9::/032] nine
::1.2.3.4 compatible
::ffff:1.2.3.4 mapped
::/0 rest
`,
    ...["192.0.2.1", "192.0.2.9", "200.0.0.1", "10.1.2.3", "10.2.2.3", "1.2.3.4", "300.0.0.1"],
    ...[
      "2001:db8::1",
      "2001:DB9:0::1",
      "::102:304",
      "::ffff:102:304",
      "::1",
      "[::1]",
      "name",
      "1.2.3",
    ],
  ),
  cidr("if !::/0\n192.0.2.1 x\nendif\n", "192.0.2.1", "::1"),
];

/** What may stand on the right of a parameter; `one` is 1, `empty` is empty, `refers` is $empty, `level` is 3.6. */
export const MAIN_VALUES: readonly string[] = [
  ...["a  b", "a\n # c\n\n b", "$one ${one} $(one)", "$one.x${one}x", "$$one $$$one", "${ one }"],
  ...["${one?yes}|${empty?yes}|", "${one:no}|${empty:no}", "${none?yes}|${none:no}|$none|"],
  ...["${refers?{a}:{b}}", "${refers}|${refers:x}|", "${one?{yes}:{no}}", "${empty?{yes}:{no}}"],
  ...[
    "${one ? { a } : { b }}|",
    "${empty?{a}: b c }|",
    "${one? a }|${empty : b }|${{a}=={a}? c}|",
    "${one?a:b}",
    "${one?{a{b}c}}",
    "${one?a}b}",
  ],
  ...["$(one?(a))", "${one?$$one}", "${one?{${empty:{deep}}}}", "${one?}|${empty:}|${one?{}:{x}}|"],
  ...["${{a} == {a} ? {yes} : {no}}", "${{$one}!={1}?{y}:{n}}", "${{9}<{10}?{y}:{n}}"],
  ...[
    "${{a9}<{a10}?{y}:{n}}",
    "${{01}=={1}?{y}:{n}}",
    "${{-1}<{-2}?{y}:{n}}",
    "${{ 1}=={1}?{y}:{n}}",
  ],
  ...["${{1.5}<{1.10}?{y}:{n}}", "${{}=={}?{y}:{n}}", "${{a}=={a}}|${{a}=={b}}|", "${{a}=={b}:n}"],
  ...["${{9223372036854775807}>{9223372036854775806}?{y}:{n}}", "${{A}=={a}?{y}:{n}}"],
  ...["${{3.9} <level {3.10} ? {y}:{n}}", "${{$level} >=level {3.6.0} ? {y}:{n}}"],
  ...["${{3.1023} <level {3.9.1023}?{y}:{n}}", "${{03.06} ==level {3.6}?{y}:{n}}", "\u00e4 \u65e5"],
];
