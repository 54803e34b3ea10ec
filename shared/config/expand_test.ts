import { assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { assertQuick } from "../../tests/support/hostile.ts";
import { Expander, MAX_NESTING, MAX_VALUE_LENGTH, referencedNames } from "./expand.ts";

function expander(texts: Record<string, string>) {
  const problems: string[] = [];
  const map = new Map(Object.entries(texts));
  const names = new Expander({
    raw: (name) => map.get(name),
    report: (severity, chain, text) => problems.push(`${severity}: ${chain.join(">")}: ${text}`),
  });
  return { names, problems };
}

function expand(text: string): string {
  const { names, problems } = expander({
    x: text,
    one: "one",
    empty: "",
    two: "$one two",
    refers: "$empty",
    level: "3.6",
  });
  const value = names.value("x");
  return problems.length ? `${value} (${problems.join("; ")})` : value;
}

for (
  const [text, value] of [
    ["plain text", "plain text"],
    ["$one ${one} $(one)", "one one one"],
    ["$two", "one two"],
    ["$one.b ${one}b $one-b", "one.b oneb one-b"],
    ["$$one $$$one", "$one $one"],
    ["${ one }", "one"],
    ["${one?yes}|${empty?yes}|", "yes||"],
    ["${one:no}|${empty:no}", "|no"],
    ["${one?{yes}}|${empty:{no}}", "yes|no"],
    ["${one?{yes}:{no}}|${empty?{yes}:{no}}", "yes|no"],
    ["${one ? {yes} : {no}}", "yes"],
    ["${one?{ a  b }:{}}|", " a  b |"],
    ["${one?a:b}", "a:b"],
    ["${one?$(two)}y}", "one twoy}"],
    ["${one?${empty:{deep {braces}}}}", "deep {braces}"],
    ["$(one?x)", "x"],
    ["${one?}|${empty:}|", "||"],
    ["${{a} == {a} ? {yes} : {no}}", "yes"],
    ["${{$one} != {one} ? {yes} : {no}}", "no"],
    ["${{9} < {10} ? {yes} : {no}}", "yes"],
    ["${{a9} < {a10} ? {yes} : {no}}", "no"],
    ["${{01} == {1}?{yes}}", "yes"],
    ["${{1.5} < {1.10}?{yes}:{no}}", "no"],
    ["${{2}>={2}?{yes}:{no}}${{2}<={1}?{yes}:{no}}${{2}>{1}?{yes}:{no}}", "yesnoyes"],
    ["${{b}>{a}:{no}}|${{a}>{b}:{no}}", "|no"],
    ["${{b}>{a}}|${{a}>{b}}|", "true||"],
    ["${{3.9} <level {3.10} ? {yes} : {no}}", "yes"],
    ["${{$level} >=level {3.6.0} ? {yes} : {no}}", "yes"],
    ["${{$level} ==level {3.5} ? {yes} : {no}}", "no"],
    ["${{1}=={2}?{${nowhere}}:{no}}", "no"],
    ["${refers?{a}:{b}}", "a"],
    ["${refers}|${refers:x}|", "||"],
    ["${x:never}|", "|"],
    ["${empty?{a}: b c }|", " b c |"],
    ["${one? a }|${empty : b }|${{a}=={a}? c}|", " a | b | c|"],
    ["${one? {a} }|${empty?{a} : {b} }|", "a|b|"],
    ["${{9223372036854775807} > {9223372036854775806}?{y}}", "y"],
    ["${{3.1023} <level {3.9.1023}?{y}:{n}}", "n"],
  ] as const
) {
  Deno.test(`value() expands ${text}`, () => assertEquals(expand(text), value));
}

for (
  const [text, complaint] of [
    ["a $ b", "must have a name after $"],
    ["a$", "must have a name after $"],
    ["${}", "must have a name"],
    ["$(one", 'must close what "(" opens'],
    ["${one?{x}", 'must close what "{" opens'],
    ["${one two}", "must have ? or : after the name"],
    ["${my-host}", "must have ? or : after the name"],
    ["${one?{a}b}", "must be {a}:{b}"],
    ["${one:{a}:{b}}", "must be {a}:{b}"],
    ["${empty?{a}:{b}c}", "must end after {a}:{b}"],
    ["${{a} = {b}?{x}:{y}}", "must compare as in {a} == {b}"],
    ["${{a}{b}?x:y}", "must compare as in {a} == {b}"],
    ["${{a} == b ? {x} : {y}}", "must compare as in {a} == {b}"],
    ["${{a} == {b} {x}}", "must have ? or : after the comparison"],
    ["${{x} <level {3.6} ? {a} : {b}}", "must be a compatibility level"],
    ["${{ 3.6} <level {3.7} ? {a} : {b}}", "must be a compatibility level"],
    ["${{3.1024} <level {3.7} ? {a} : {b}}", "must be a compatibility level"],
    ["${{3.6} < level {3.7} ? {a} : {b}}", "must compare as in {a} == {b}"],
    ["${{9223372036854775808} > {1} ? {a} : {b}}", "must not compare numbers beyond"],
    ["${one?{a}:{b}c}", "must end after {a}:{b}"],
  ] as const
) {
  Deno.test(`value() is empty and reports what is wrong with ${text}`, () => {
    const { names, problems } = expander({ x: text, one: "one", empty: "" });
    assertEquals(names.value("x"), "");
    assertEquals(problems.length, 1);
    assertEquals(problems[0]!.startsWith(`fatal: x: ${complaint}`), true, problems[0]);
  });
}

Deno.test("value() reports an undefined name once, where it is used, and goes on", () => {
  const { names, problems } = expander({ a: "<$nowhere>", b: "$a $nowhere" });
  assertEquals(names.value("b"), "<> ");
  assertEquals(problems, ["warning: b>a: $nowhere is undefined and stands for nothing"]);
});

Deno.test("value() reports names that run in a circle, and names the circle", () => {
  const { names, problems } = expander({ a: "$b", b: "$c", c: "x $a" });
  assertEquals(names.value("a"), "");
  assertEquals(problems, ["fatal: a>b>c: must not refer to itself: a -> b -> c -> a"]);
});

Deno.test("value() ends at its nesting limit", () => {
  const deep = "${{1}=={1}?{".repeat(MAX_NESTING + 1) + "}}".repeat(MAX_NESTING + 1);
  const { names, problems } = expander({ a: deep });
  assertEquals(names.value("a"), "");
  assertMatch(problems[0]!, /must not nest names or braces more than 100 deep/);
});

Deno.test("value() ends at its length limit when names repeat names", () => {
  const texts: Record<string, string> = { n0: "x".repeat(100) };
  for (let at = 1; at < 40; at++) texts[`n${at}`] = `$n${at - 1}`.repeat(4);
  const { names, problems } = expander(texts);
  assertEquals(names.value("n39").length <= MAX_VALUE_LENGTH, true);
  assertMatch(problems[0]!, /must not expand to more than 1048576 characters/);
});

Deno.test("value() takes any text without failing", () => {
  const part = fc.constantFrom(
    ..."${}()?:=<>!$ ax1",
    "level",
    "${",
    "{a}",
    "==",
    "$a",
    "__proto__",
    "constructor",
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 40 }), fc.string(), (parts, text) => {
      const { names } = expander({
        a: parts.join(""),
        b: text,
        c: "$a $b $__proto__ $constructor",
      });
      assertEquals(typeof names.value("c"), "string");
    }),
    { numRuns: 500 },
  );
});

Deno.test("referencedNames() finds the names in every branch, and none after $$", () => {
  assertEquals(
    referencedNames("$a ${b?{$c}:{$(d)}} $$e ${{$f} == {1} ? {g}}"),
    ["a", "b", "c", "d", "f"],
  );
});

Deno.test("value() and referencedNames() take time in proportion to their text", () => {
  const parts = [
    "$",
    "$a",
    "${",
    "${a",
    "${a?",
    "${a?{",
    "$(",
    "{",
    "}",
    "${}",
    "$a ",
    "${{a}=={a}?{x}}",
    " ",
    "\v",
    "$ ",
  ];
  const around = ["", "${", "${a?", "${{", "${ "];
  assertQuick((text) => expander({ a: "x", b: text }).names.value("b"), parts, { around });
  assertQuick(referencedNames, parts, { around });
});
