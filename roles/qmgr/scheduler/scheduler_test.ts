import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Entry } from "./scheduler.ts";
import { type Message, messages, REFUSED, Scene, to } from "./test_scene.ts";
import { testScheduler } from "./test_settings.ts";

Deno.test("next() begins with two deliveries to a destination, and more as they succeed", () => {
  const scene = new Scene();
  for (let i = 0; i < 40; i++) scene.add(`m${i}`, [to("a")]);
  const [first, second, ...none] = scene.all();
  assertEquals([first!.message, second!.message, none], ["m0", "m1", []]);
  scene.end(first!);
  assertEquals(messages(scene.all()), ["m2", "m3"]);
  scene.end(second!);
  assertEquals(messages(scene.all()), ["m4", "m5"]);
});

Deno.test("next() hands out no more than the concurrency limit", () => {
  const scene = new Scene({ concurrencyLimit: 3 });
  for (let i = 0; i < 30; i++) scene.add(`m${i}`, [to("a")]);
  let running = scene.all();
  for (let i = 0; i < 5; i++) {
    for (const entry of running.splice(0, 2)) scene.end(entry);
    running = [...running, ...scene.all()];
    assert(running.length <= 3);
  }
  assertEquals(running.length, 3);
});

Deno.test("next() hands out no more than the transport's own limit", () => {
  const scene = new Scene({ transportConcurrency: 4 });
  for (let i = 0; i < 30; i++) scene.add(`m${i}`, [to(`d${i}`)]);
  assertEquals(scene.all().length, 4);
});

Deno.test("next() keeps the order of arrival within a destination", () => {
  const scene = new Scene();
  for (let i = 0; i < 10; i++) scene.add(`m${i}`, [to("a")]);
  assertEquals(scene.order(), Array.from({ length: 10 }, (_, i) => `m${i}`));
});

Deno.test("next() takes turns between transports", () => {
  const scene = new Scene();
  for (let i = 0; i < 3; i++) {
    scene.add("s", [to("a")], "smtp");
    scene.add("l", [to("b")], "lmtp");
  }
  assertEquals(scene.order().sort().join(""), "lllsss");
  for (let i = 0; i < 2; i++) {
    scene.add("s", [to("a")], "smtp");
    scene.add("l", [to("b")], "lmtp");
  }
  const order = scene.order();
  assert(order[0] !== order[1] && order[2] !== order[3], order.join());
});

Deno.test("next() takes turns between the destinations of a message", () => {
  const scene = new Scene({ recipientLimit: 1 });
  scene.add("m", [to("a", 3), to("b", 3), to("c", 3)]);
  const keys = scene.all().map(({ destination }) => destination.key);
  assertEquals(keys, ["a", "b", "c", "a", "b", "c"]);
});

Deno.test("next() passes over a message whose destinations are all busy", () => {
  const scene = new Scene();
  for (let i = 0; i < 5; i++) scene.add(`slow${i}`, [to("slow")]);
  scene.add("other", [to("free")]);
  assertEquals(messages(scene.all()), ["slow0", "slow1", "other"]);
});

Deno.test("enqueue() packs no more recipients into an entry than the limit", () => {
  const scene = new Scene({ concurrencyLimit: Infinity, initialConcurrency: 9 });
  assertEquals(scene.add("m", [to("a", 120)]).waiting, 3);
  const numbers = scene.all().map((entry) => entry.recipients.map(({ n }) => n));
  assertEquals(numbers.map(({ length }) => length), [50, 50, 20]);
  assertEquals(numbers.flat(), Array.from({ length: 120 }, (_, n) => n));
});

Deno.test("finished() gives back what waits for a destination that is dead, with the reason", () => {
  const scene = new Scene();
  for (let i = 0; i < 5; i++) scene.add(`m${i}`, [to("a")]);
  scene.add("other", [to("b")]);
  const [one, two] = scene.all();
  assertEquals(scene.end(one!, REFUSED), []);
  assertEquals(scene.all(), []); // The window is 1 now, and one runs.
  const suspended = scene.end(two!, REFUSED);
  assertEquals(suspended.map(({ entry }) => entry.message), ["m2", "m3", "m4"]);
  const problem = {
    dsn: "4.4.1",
    text: "delivery temporarily suspended: connect to mx: Connection refused",
  };
  assertEquals(suspended[0]!.problem, problem);
  const later = scene.add("late", [to("a"), to("b")]);
  assertEquals(later.waiting, 1);
  assertEquals(later.suspended.map(({ problem }) => problem), [problem]);
});

/** Kills destination `a` with two failures. */
function kill(scene: Scene): void {
  scene.add("k0", [to("a")]);
  scene.add("k1", [to("a")]);
  for (const entry of scene.all()) scene.end(entry, REFUSED);
}

Deno.test("a dead destination is tried again after its time, with the initial window", () => {
  const scene = new Scene();
  kill(scene);
  scene.now += 299_999;
  assertEquals(scene.add("m", [to("a")]).suspended.length, 1);
  scene.now += 1;
  for (let i = 0; i < 5; i++) assertEquals(scene.add(`n${i}`, [to("a")]).suspended, []);
  assertEquals(messages(scene.all()), ["n0", "n1"]);
});

Deno.test("a success that comes late revives a dead destination", () => {
  const scene = new Scene({ initialConcurrency: 3 });
  for (let i = 0; i < 3; i++) scene.add(`m${i}`, [to("a")]);
  const [one, two, three] = scene.all();
  scene.end(one!, REFUSED);
  scene.end(two!, REFUSED);
  assertEquals(scene.add("x", [to("a")]).suspended.length, 1);
  scene.end(three!);
  assertEquals(scene.add("y", [to("a")]).suspended, []);
});

Deno.test("revive() forgets dead destinations and transports", () => {
  const scene = new Scene();
  kill(scene);
  scene.add("l", [to("b")], "lmtp");
  const entry = scene.all()[0]!;
  scene.scheduler.unreachable(entry, scene.now);
  assertEquals(scene.add("m", [to("b")], "lmtp").suspended.length, 1);
  scene.scheduler.revive();
  assertEquals(scene.add("m", [to("a")]).suspended, []);
  assertEquals(scene.add("m", [to("b")], "lmtp").suspended, []);
});

Deno.test("unreachable() gives back all that waits for the transport, for a minute", () => {
  const scene = new Scene();
  for (let i = 0; i < 4; i++) scene.add(`m${i}`, [to(i % 2 ? "a" : "b")], "lmtp");
  scene.add("s", [to("a")], "smtp");
  const problem = { dsn: "4.3.0", text: "mail transport unavailable" };
  const entry = scene.all().find(({ destination }) => destination.transport === "lmtp")!;
  scene.add("m9", [to("a")], "lmtp");
  const suspended = scene.scheduler.unreachable(entry, scene.now);
  assertEquals(suspended.map(({ entry, problem }) => [entry.message, problem]), [["m9", problem]]);
  scene.now += 59_999;
  assertEquals(scene.add("x", [to("c")], "lmtp").suspended.length, 1);
  scene.now += 1;
  assertEquals(scene.add("y", [to("c")], "lmtp").suspended, []);
});

Deno.test("a rate delay allows one delivery at a time, and then a pause", () => {
  const scene = new Scene({ destinationRateDelay: 2000, concurrencyLimit: 1 });
  for (let i = 0; i < 3; i++) scene.add(`m${i}`, [to("a")]);
  scene.add("o", [to("b")]);
  const [one, other] = scene.all();
  assertEquals(messages([one!, other!]), ["m0", "o"]);
  scene.end(one!);
  assertEquals(scene.all(), []);
  assertEquals(scene.scheduler.wakeAt, scene.now + 2000);
  scene.now += 1999;
  assertEquals(scene.all(), []);
  scene.now += 1;
  assertEquals(messages(scene.all()), ["m1"]);
});

Deno.test("a transport's rate delay holds for all its destinations", () => {
  const scene = new Scene({ transportRateDelay: 1000 });
  scene.add("m0", [to("a")]);
  scene.add("m1", [to("b")]);
  const [one, ...none] = scene.all();
  assertEquals(none, []);
  scene.end(one!);
  assertEquals([scene.all(), scene.scheduler.wakeAt], [[], scene.now + 1000]);
  scene.now += 1000;
  assertEquals(messages(scene.all()), ["m1"]);
});

Deno.test("withdraw() takes out what waits of a message, and nothing else", () => {
  const scene = new Scene();
  for (const message of ["m", "n"]) scene.add(message, [to("a", 120), to("b")]);
  const running = scene.all();
  const before = running.filter(({ message }) => message === "m").length;
  assertEquals(scene.scheduler.withdraw("m").length, 4 - before);
  assertEquals(scene.scheduler.withdraw("m"), []);
  for (const entry of running) scene.end(entry);
  assert(!scene.order().includes("m"));
});

Deno.test("withdrawRecipient() makes an entry smaller, and takes an empty one out", () => {
  const scene = new Scene();
  scene.add("x", [to("a")]);
  scene.add("y", [to("a")]);
  scene.add("m", [to("a", 2)]);
  const running = scene.all();
  assertEquals(scene.scheduler.withdrawRecipient("m", 7), undefined);
  assertEquals(scene.scheduler.withdrawRecipient("m", 0), false);
  assertEquals(scene.scheduler.withdrawRecipient("m", 0), undefined);
  assertEquals(scene.scheduler.withdrawRecipient("m", 1), true);
  for (const entry of running) scene.end(entry);
  assertEquals(scene.order(), []);
});

Deno.test("keep() is true while mail for the destination is close", () => {
  const scene = new Scene();
  scene.add("m0", [to("a")]);
  scene.add("m1", [to("a")]);
  const keep = (entry: Entry<Message>) => scene.scheduler.keep(entry, scene.now);
  const one = scene.next()!;
  assertEquals(keep(one), true);
  const two = scene.next()!;
  assertEquals(keep(two), true);
  scene.end(one);
  scene.end(two);
  scene.now += 1001;
  scene.add("m2", [to("a")]);
  assertEquals(keep(scene.next()!), false);
});

Deno.test("a destination that fills a fifth of the active queue is warned of, once in a while", () => {
  const scene = new Scene({}, {}, { ...testScheduler(), activeLimit: 50 });
  for (let i = 0; i < 20; i++) scene.add(`m${i}`, [to("a")]);
  assertEquals(scene.warnings, [
    "mail for a is using up 11 of 50 active queue entries",
    "you may need to reduce smtp connect and helo timeouts",
    "so that Postfix quickly skips unavailable hosts",
  ]);
  scene.now += 300_000;
  scene.add("late", [to("a")]);
  assertEquals(scene.warnings.length, 6);
});

Deno.test("configure() applies a new limit to destinations that are known", () => {
  const scene = new Scene();
  for (let i = 0; i < 9; i++) scene.add(`m${i}`, [to("a")]);
  const running = scene.all();
  scene.configure({ concurrencyLimit: 1 });
  for (const entry of running) scene.end(entry);
  assertEquals(scene.all().length, 1);
});

const HOUR_MS = 3_600_000;

for (const name of ["destinationRateDelay", "transportRateDelay"] as const) {
  Deno.test(`configure() ends and shortens pauses: ${name}`, () => {
    for (const delay of [0, 1000]) {
      const scene = new Scene({ [name]: HOUR_MS });
      scene.add("m0", [to("a")]);
      scene.add("m1", [to("a")]);
      scene.end(scene.next()!);
      assertEquals(messages(scene.all()), []);
      scene.configure({ [name]: delay });
      assertEquals(scene.scheduler.wakeAt, scene.now + delay);
      scene.now += delay;
      assertEquals(messages(scene.all()), ["m1"]);
    }
  });
}

Deno.test("configure() lets a pause end when it would have, if a new one would be longer", () => {
  const scene = new Scene({ destinationRateDelay: 1000 });
  scene.add("m0", [to("a")]);
  scene.add("m1", [to("a")]);
  scene.end(scene.next()!);
  scene.configure({ destinationRateDelay: HOUR_MS });
  assertEquals(scene.scheduler.wakeAt, scene.now + 1000);
});

Deno.test("a pause that begins after configure() does not wait for one that began before", () => {
  const scene = new Scene({ destinationRateDelay: HOUR_MS });
  scene.add("m0", [to("a")]);
  scene.end(scene.next()!);
  scene.configure({ destinationRateDelay: 1000 });
  scene.add("m1", [to("b")]);
  scene.add("m2", [to("b")]);
  scene.end(scene.next()!);
  assertEquals(messages(scene.all()), []);
  scene.now += 1000;
  assertEquals(messages(scene.all()), ["m2"]);
});

Deno.test("every recipient is handed out once, whatever ends how and when", () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant("add" as const),
      destination: fc.nat(4),
      count: fc.integer({ min: 1, max: 40 }),
    }),
    fc.record({ do: fc.constant("next" as const) }),
    fc.record({ do: fc.constant("end" as const), which: fc.nat(50), fails: fc.boolean() }),
    fc.record({ do: fc.constant("wait" as const), milliseconds: fc.nat(400_000) }),
    fc.record({ do: fc.constant("withdraw" as const), which: fc.nat(20) }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 120 }), fc.nat(2), (steps, delay) => {
    const scene = new Scene({ recipientLimit: 3, destinationRateDelay: delay * 100 });
    const running: Entry<Message>[] = [];
    const open = new Map<string, number>();
    const settle = (entry: Entry<Message>) => {
      for (const { n } of entry.recipients) {
        assert(open.delete(`${entry.message}/${entry.destination.key}/${n}`), "handed out twice");
      }
    };
    let added = 0;
    for (const step of steps) {
      if (step.do === "add") {
        const message = `m${added++}`;
        const groups = [to(`d${step.destination}`, step.count), to("d9", 1)];
        for (const { key, recipients } of groups) {
          for (const { n } of recipients) open.set(`${message}/${key}/${n}`, n);
        }
        for (const { entry } of scene.add(message, groups).suspended) settle(entry);
      } else if (step.do === "next") {
        const entry = scene.next();
        if (entry) running.push(entry);
      } else if (step.do === "end" && running.length) {
        const [entry] = running.splice(step.which % running.length, 1);
        settle(entry!);
        for (const each of scene.end(entry!, step.fails ? REFUSED : null)) settle(each.entry);
      } else if (step.do === "wait") scene.now += step.milliseconds;
      else if (step.do === "withdraw") scene.scheduler.withdraw(`m${step.which}`).forEach(settle);
    }
    for (let i = 0; i < 5000 && (open.size || running.length); i++) {
      scene.now += 1000;
      running.push(...scene.all());
      for (const entry of running.splice(0)) {
        settle(entry);
        scene.end(entry);
      }
    }
    assertEquals(open.size, 0);
  }));
});
