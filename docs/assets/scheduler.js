// @ts-check
/**
 * Be the scheduler: the reader decides which thread takes the next step.
 *
 * Nothing is worked out here. Each point, each step and each reason to wait was recorded from real
 * threads when the page was built; this script only walks about in that graph. A classic script,
 * not a module: a page opened from a disk may not load modules.
 */
(() => {
  "use strict";

  /** @typedef {{thread: string, line: number, opcode: string, kind: string, does: string, result: string}} Step */
  /** @typedef {{thread: string, line: number, opcode: string, lock: string, holder: string}} Wait */
  /** @typedef {[step: number, to: number]} Move */
  /** @typedef {{shared: string[], own: string[], moves: (Move | null)[], waits: (number | null)[], end: number | null}} Point */
  /** @typedef {{thread: string, file: string, lines: [number, string][]}} Code */
  /** @typedef {{verdict: string, says: string}} End */
  /**
   * What `gilnotes.site.scheduler.widget` has put into the page.
   * @typedef {{name: string, title: string, aim: string, fewest: number | null, schedule: string,
   *   demonstration: string, threads: string[], code: Code[], shared: string[], steps: Step[],
   *   waits: Wait[], ends: End[], points: Point[]}} Recording
   */

  /** Milliseconds from one step to the next of a schedule that plays by itself. */
  const PACE = 900;

  /** A way through a recording: a letter a step. */
  class Game {
    /** @param {Recording} recording */
    constructor(recording) {
      this.recording = recording;
      this.letters = "";
      this.way = [0];
    }

    /** @returns {Point} */
    get point() {
      return this.recording.points[this.way[this.way.length - 1]];
    }

    /** @returns {End | null} */
    get end() {
      return this.point.end === null ? null : this.recording.ends[this.point.end];
    }

    /**
     * The step that a thread would take next.
     * @param {number} thread
     * @returns {Step | null}
     */
    next(thread) {
      const move = this.point.moves[thread];
      return move && this.recording.steps[move[0]];
    }

    /**
     * @param {number} thread
     * @returns {Wait | null}
     */
    wait(thread) {
      const index = this.point.waits[thread];
      return index === null ? null : this.recording.waits[index];
    }

    /**
     * Why a thread cannot be chosen; "" if it can.
     * @param {number} thread
     */
    reason(thread) {
      if (this.point.moves[thread]) return "";
      const name = this.recording.threads[thread];
      const wait = this.wait(thread);
      return wait ? `${name} waits for ${waitsFor(wait)}` : `${name} has ended`;
    }

    /**
     * Let a thread take its step. False if it cannot.
     * @param {number} thread
     */
    take(thread) {
      const move = this.point.moves[thread];
      if (!move) return false;
      this.letters += this.recording.threads[thread];
      this.way.push(move[1]);
      return true;
    }

    undo() {
      if (this.letters) {
        this.letters = this.letters.slice(0, -1);
        this.way.pop();
      }
    }

    /**
     * Go a way from the start, as far as it can be gone.
     * @param {string} letters
     */
    go(letters) {
      this.letters = "";
      this.way = [0];
      for (const letter of letters) {
        if (!this.take(this.recording.threads.indexOf(letter))) return;
      }
    }

    /** @returns {Step[]} */
    get steps() {
      return [...this.letters].map((letter, index) => {
        const point = this.recording.points[this.way[index]];
        const move = point.moves[this.recording.threads.indexOf(letter)];
        return this.recording.steps[/** @type {Move} */ (move)[0]];
      });
    }

    get switches() {
      return [...this.letters].filter((letter, index) => index && letter !== this.letters[index - 1]).length;
    }

    /** Switches away from a thread that could have gone on. */
    get preemptions() {
      return [...this.letters].filter((letter, index) => {
        if (!index || letter === this.letters[index - 1]) return false;
        const before = this.recording.threads.indexOf(this.letters[index - 1]);
        return this.recording.points[this.way[index]].moves[before] !== null;
      }).length;
    }

    /** The same schedule for `gilnotes.interleaving.replay`. */
    get python() {
      const schedule = this.steps.map((step) => `${step.thread}.${step.kind}`).join(" ");
      return `replay(PROGRAMS["${this.recording.name}"](), "${schedule}")`;
    }
  }

  /** @param {Wait} wait */
  const waitsFor = (wait) => wait.lock + (wait.holder ? `, held by ${wait.holder}` : "");

  /** @param {Step} step */
  const deed = (step) => step.does + (step.result ? `: ${step.result}` : "");

  /**
   * @param {number} count
   * @param {string} noun
   */
  const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : noun.endsWith("ch") ? "es" : "s"}`;

  /**
   * @template {keyof HTMLElementTagNameMap} Tag
   * @param {Tag} tag
   * @param {Record<string, string>} attributes
   * @param {(Node | string)[]} children
   * @returns {HTMLElementTagNameMap[Tag]}
   */
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  /**
   * A word of code in which a minus is no place to break the line.
   * @param {string} word
   */
  const whole = (word) => (word.includes("-") ? make("span", { class: "scheduler-whole" }, word) : word);

  /** Schedules in the address: `#race=ABBBAA&lock=AAB`. */
  const address = {
    /** @returns {[string, string][]} */
    all() {
      const parts = decodeURIComponent(location.hash.slice(1)).split("&");
      const found = parts.map((part) => /^([\w-]+)=([A-Z]+)$/.exec(part));
      return found.flatMap((match) => (match ? [[match[1], match[2]]] : []));
    },
    /** @param {string} name */
    read(name) {
      return new Map(this.all()).get(name) || "";
    },
    /**
     * @param {string} name
     * @param {string} letters
     */
    write(name, letters) {
      const schedules = new Map(this.all());
      if (letters === (schedules.get(name) || "")) return;
      if (letters) schedules.set(name, letters);
      else schedules.delete(name);
      const hash = [...schedules].map((pair) => pair.join("=")).join("&");
      history.replaceState(history.state, "", hash ? `#${hash}` : location.pathname + location.search);
    },
    /**
     * @param {string} name
     * @param {string} letters
     */
    link(name, letters) {
      return location.href.split("#")[0] + (letters ? `#${name}=${letters}` : "");
    },
  };

  /** What is seen of a game. */
  class Board {
    /**
     * @param {HTMLElement} root
     * @param {Recording} recording
     */
    constructor(root, recording) {
      this.root = root;
      this.game = new Game(recording);
      this.timer = 0;
      const name = recording.name;
      this.status = make("p", { role: "status", class: "scheduler-status" });
      this.score = make("p", { class: "scheduler-score" });
      this.threads = recording.threads.map((_, thread) => this.makeThread(thread));
      this.values = recording.shared.map(() => make("dd"));
      this.history = make("ol", { class: "scheduler-history", "aria-label": "Steps so far" });
      this.python = make("code");
      this.record = make(
        "div",
        { class: "scheduler-record" },
        make("p", {}, "Steps so far"),
        this.history,
        make("p", {}, "The same schedule in Python"),
        make("p", {}, this.python),
      );
      this.undoButton = this.makeButton("Undo", "u", () => this.undo());
      this.restartButton = this.makeButton("Start again", "r", () => this.restart());
      this.playButton = this.makeButton(recording.demonstration, "p", () => this.play());
      const link = this.makeButton("Copy link", "", () => this.copyLink());
      this.board = make(
        "div",
        { class: "scheduler-game", role: "group", "aria-label": recording.title, tabindex: "-1" },
        make(
          "div",
          { class: "scheduler-board" },
          this.makeShared(),
          ...this.threads.map((thread) => thread.panel),
        ),
        make("div", { class: "scheduler-buttons" }, this.undoButton, this.restartButton, this.playButton, link),
        this.status,
        this.score,
        this.record,
      );
      this.board.addEventListener("keydown", (event) => this.onKey(event));
      root.append(this.board);
      root.classList.add("scheduler-plays");
      const letters = address.read(name);
      this.go(letters, letters && "From the link");
      addEventListener("hashchange", () => {
        const letters = address.read(name);
        if (!letters || letters === this.game.letters) return;
        this.go(letters, "From the link");
        this.board.scrollIntoView();
      });
    }

    // -- what it is made of

    /**
     * @param {string} label
     * @param {string} key
     * @param {() => void} press
     */
    makeButton(label, key, press) {
      const text = make("span", {}, label);
      const button = make("button", { type: "button" }, text);
      if (key) {
        button.setAttribute("aria-keyshortcuts", key);
        button.append(" ", make("kbd", { "aria-hidden": "true" }, key));
      }
      button.addEventListener("click", press);
      return button;
    }

    makeShared() {
      const list = make("dl");
      this.game.recording.shared.forEach((name, index) => {
        list.append(make("div", {}, make("dt", {}, name), this.values[index]));
      });
      return make("div", { class: "scheduler-shared", role: "group", "aria-label": "Shared by both" }, make("p", {}, "Shared"), list);
    }

    /** @param {number} thread */
    makeThread(thread) {
      const { name, threads, code } = this.game.recording;
      const letter = threads[thread];
      const rows = code[thread].lines.map(([number, text]) => {
        const line = make("code", {}, ...text.trimStart().split(/( )/).map(whole));
        line.style.setProperty("--scheduler-indent", String(text.length - text.trimStart().length));
        const row = make("li", {}, make("span", { class: "scheduler-number" }, String(number)), line);
        return { number, row };
      });
      const next = make("p", { class: "scheduler-next", id: `scheduler-${name}-${letter}` });
      const own = make("span");
      const button = this.makeButton(`${letter} takes a step`, letter.toLowerCase(), () => this.take(thread));
      button.setAttribute("aria-describedby", next.id);
      const panel = make(
        "div",
        { class: "scheduler-thread", role: "group", "aria-label": `Thread ${letter}` },
        make("p", { class: "scheduler-name" }, make("strong", {}, `Thread ${letter}`), ` ${code[thread].file}`),
        make("ol", { class: "scheduler-code" }, ...rows.map(({ row }) => row)),
        next,
        make("p", { class: "scheduler-own" }, "Its own value: ", own),
        button,
      );
      return { panel, rows, next, own, button };
    }

    // -- what can be done

    /** @param {number} thread */
    take(thread) {
      this.stop();
      const reason = this.game.reason(thread);
      if (!this.game.take(thread)) return this.show(`${reason}.`);
      const steps = this.game.steps;
      const step = steps[steps.length - 1];
      const waits = this.game.recording.threads
        .map((_, other) => (other === thread ? "" : this.news(other)))
        .filter(Boolean);
      return this.show([`${step.thread} ${deed(step)}.`, ...waits].join(" "));
    }

    /**
     * That another thread has come to wait, or need not wait any longer.
     * @param {number} thread
     */
    news(thread) {
      const { points, threads, waits } = this.game.recording;
      const before = points[this.game.way[this.game.way.length - 2]].waits[thread];
      const now = this.game.point.waits[thread];
      if (before === now) return "";
      if (now !== null) return `${threads[thread]} has to wait for ${waitsFor(waits[now])}.`;
      return `${threads[thread]} need not wait any longer.`;
    }

    undo() {
      this.stop();
      const steps = this.game.steps;
      const last = steps[steps.length - 1];
      this.game.undo();
      this.show(last ? `Taken back: ${last.thread} ${deed(last)}.` : "There is no step to take back.");
    }

    restart() {
      this.stop();
      this.go("", "At the start.");
    }

    play() {
      if (this.timer) {
        this.stop();
        this.show("Stopped.");
        return;
      }
      const letters = this.game.recording.schedule;
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
        this.go(letters, "Played");
        return;
      }
      this.go("", "");
      const step = () => {
        this.take(this.game.recording.threads.indexOf(letters[this.game.letters.length]));
        if (this.game.letters.length < letters.length) this.start(step);
      };
      this.start(step);
    }

    /** @param {() => void} step */
    start(step) {
      this.timer = window.setTimeout(step, PACE);
      this.label(this.playButton, "Stop");
    }

    stop() {
      window.clearTimeout(this.timer);
      this.timer = 0;
      this.label(this.playButton, this.game.recording.demonstration);
    }

    /**
     * Go a whole way at once, and say where it came from.
     * @param {string} letters
     * @param {string} from
     */
    go(letters, from) {
      this.stop();
      this.game.go(letters);
      const gone = this.game.letters.length;
      const rest = gone < letters.length ? `; step ${gone + 1} cannot be taken` : "";
      this.show(letters ? `${from}: ${counted(gone, "step")}${rest}.` : from);
    }

    async copyLink() {
      const link = address.link(this.game.recording.name, this.game.letters);
      try {
        await navigator.clipboard.writeText(link);
        this.say("Link copied.");
      } catch {
        this.say("The link is in the address bar.");
      }
    }

    /** @param {KeyboardEvent} event */
    onKey(event) {
      if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
      const key = event.key.toLowerCase();
      const thread = this.game.recording.threads.indexOf(key.toUpperCase());
      if (thread >= 0) this.take(thread);
      else if (key === "u") this.undo();
      else if (key === "r") this.restart();
      else if (key === "p") this.play();
      else return;
      event.preventDefault();
      event.stopPropagation(); // the theme has a use of its own for "p"
    }

    // -- what is shown

    /** @param {string} message */
    show(message) {
      const { game } = this;
      const { recording, point, end } = game;
      this.threads.forEach((_, thread) => this.showThread(thread));
      const last = game.steps[game.steps.length - 1];
      const before = recording.points[game.way[game.way.length - 2] || 0];
      this.values.forEach((element, index) => {
        const changed = last !== undefined && before.shared[index] !== point.shared[index];
        element.classList.toggle("scheduler-changed", changed);
        element.replaceChildren(make("strong", {}, point.shared[index]), changed && last.kind === "write" ? ` written by ${last.thread}` : "");
      });
      this.disable(this.undoButton, !game.letters);
      this.history.replaceChildren(
        ...game.steps.map((step) =>
          make(
            "li",
            { class: `scheduler-column-${recording.threads.indexOf(step.thread)}` },
            `${step.thread} ${deed(step)} `,
            make("small", {}, `${step.opcode}, line ${step.line}`),
          ),
        ),
      );
      this.python.textContent = game.python;
      this.record.hidden = !game.letters;
      this.score.textContent = this.scored();
      this.board.dataset.verdict = end ? end.verdict : "";
      this.say(message);
      address.write(recording.name, game.letters);
    }

    /** @param {string} message */
    say(message) {
      const { end } = this.game;
      const lines = [message.trim()];
      const threads = this.game.recording.threads;
      if (end && end.verdict === "deadlock") {
        lines.push(...threads.map((_, thread) => `${this.game.reason(thread)}.`));
      }
      const verdict = end ? [make("strong", {}, `${end.says}.`)] : [];
      const invitation = this.game.letters || message ? "" : "Who takes the first step?";
      this.status.replaceChildren(lines.filter(Boolean).join(" ") || invitation, " ", ...verdict);
    }

    scored() {
      const { end, letters, preemptions, switches } = this.game;
      const { aim, fewest } = this.game.recording;
      const sums = `${counted(letters.length, "step")}, ${counted(switches, "switch")}, ${counted(preemptions, "preemption")}.`;
      if (!end || end.verdict === "holds" || fewest === null) return sums;
      const judged = preemptions > fewest ? `To ${aim}, ${fewest} would have been enough.` : "No schedule does it with fewer.";
      return `${sums} ${judged}`;
    }

    /** @param {number} thread */
    showThread(thread) {
      const { game } = this;
      const { rows, next, own, button } = this.threads[thread];
      const step = game.next(thread);
      const wait = game.wait(thread);
      const line = (step || wait || { line: 0 }).line;
      for (const { number, row } of rows) {
        if (number === line) row.setAttribute("aria-current", "step");
        else row.removeAttribute("aria-current");
      }
      if (step) {
        next.replaceChildren("Next: ", make("code", {}, step.opcode), ` ${step.does}`);
      } else if (wait) {
        next.replaceChildren(make("code", {}, wait.opcode), make("strong", {}, ` waits for ${waitsFor(wait)}`));
      } else {
        next.replaceChildren(make("strong", {}, "Has ended"));
      }
      own.textContent = game.point.own[thread] || "–";
      this.disable(button, !step);
    }

    /**
     * Said, not done: a disabled button would lose the focus, and could not be asked why.
     * @param {HTMLElement} button
     * @param {boolean} disabled
     */
    disable(button, disabled) {
      if (disabled) button.setAttribute("aria-disabled", "true");
      else button.removeAttribute("aria-disabled");
    }

    /**
     * @param {HTMLElement} button
     * @param {string} label
     */
    label(button, label) {
      const text = button.firstElementChild;
      if (text && text.textContent !== label) text.textContent = label;
    }
  }

  /** @type {Map<string, Board>} */
  const boards = new Map();
  for (const root of document.querySelectorAll(".scheduler")) {
    const data = root.querySelector("script");
    if (!(root instanceof HTMLElement) || !data) continue;
    const board = new Board(root, JSON.parse(data.textContent || ""));
    boards.set(board.game.recording.name, board);
  }
  // When the boards have been painted: to the reader, what moves while it is made is a jump.
  const sent = address.all().map(([name]) => boards.get(name));
  const first = sent.find(Boolean);
  if (first) requestAnimationFrame(() => requestAnimationFrame(() => first.board.scrollIntoView()));
})();
