// Entering an establishment or a capital increase. Photos go to heyan with the case and are not kept here.

import { ask, card, h, money, refusal, say, show } from "./page.js";

const ROLES = ["shareholder", "legal_representative", "finance_head", "agent"];
const ID_TYPES = ["cn_resident_id", "passport", "hk_macau_permit", "taiwan_permit", "hmt_residence_permit", "foreign_permanent_resident_card"];
const SAMPLE = [["张三", "E20000001", "50", ["shareholder", "legal_representative"]], ["李四", "E20000002", "30", ["shareholder"]],
  ["王五", "E20000003", "20", ["shareholder", "finance_head"]], ["赵六", "E20000004", "", ["agent"]]];
let fields = 0;

function field(label, input, hint) {
  input.id = `field-${++fields}`;
  const note = hint && h("p", { class: "small soft", id: `${input.id}-hint` }, hint);
  if (note) input.setAttribute("aria-describedby", note.id);
  return h("div", { class: "field" }, h("label", { for: input.id }, label), input, note);
}

const text = (properties = {}) => h("input", { type: "text", required: true, autocomplete: "off", ...properties });
const picture = () => h("input", { type: "file", accept: "image/jpeg,image/png,image/webp", required: true });

async function base64(input) {
  const bytes = new Uint8Array(await input.files[0].arrayBuffer());
  let characters = "";
  for (let at = 0; at < bytes.length; at += 32768) characters += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(characters);
}

/** One person's fields; `read` gives what was entered. */
function person(number, remove) {
  const name = text({ maxlength: 100 }), idNumber = text({ maxlength: 64 }), photo = picture();
  const share = h("input", { type: "text", inputmode: "decimal", maxlength: 10, pattern: "[0-9]+(\\.[0-9]{1,6})?" });
  const idType = h("select", {}, ID_TYPES.map((type) => h("option", { value: type }, say(`id_type.${type}`))));
  const roles = ROLES.map((role) => h("input", { type: "checkbox", value: role, id: `role-${number}-${role}` }));
  const element = h("fieldset", { class: "card person" }, h("legend", {}, say("person_n", { n: number })),
    h("div", { class: "grid" }, field(say("name"), name), field(say("id_type_label"), idType), field(say("id_number"), idNumber),
      field(say("share"), share), field(say("photo"), photo, say("photo_hint"))),
    h("fieldset", { class: "roles" }, h("legend", {}, say("roles")), roles.map((box) => h("label", { for: box.id }, box, say(`role.${box.value}`)))),
    number > 1 && h("button", { type: "button", class: "quiet", onclick: remove }, say("remove", { n: number })));
  const held = () => roles.filter((box) => box.checked).map((box) => box.value);
  const fill = (given, id, part, held) => {
    [name.value, idNumber.value, share.value, idType.value] = [given, id, part, "passport"];
    roles.forEach((box) => { box.checked = held.includes(box.value) });
  };
  const read = async () => ({
    name: name.value.trim(), id_type: idType.value, id_number: idNumber.value.trim(), roles: held(),
    share_percent: share.value.trim() || null, photo: await base64(photo),
  });
  return { element, fill, held, read, roles };
}

/** A form that sends what `read` gives, once; a refusal is shown and focused. */
function form(children, path, read, check = () => null) {
  const problems = h("div", { id: "problems", tabindex: -1 }), send = h("button", { type: "submit" }, say("file"));
  return h("form", { onsubmit: async (event) => {
    event.preventDefault();
    send.disabled = true;
    problems.replaceChildren();
    try {
      const missing = check();
      if (missing) throw Object.assign(new Error(missing), { code: missing });
      location.assign(`/filings/${(await ask(path, await read())).id}`);
    } catch (error) {
      if (!error.code) throw error;
      problems.replaceChildren(refusal(error));
      problems.focus();
    } finally { send.disabled = false }
  } }, children, problems, h("p", { class: "row" }, send));
}

export async function establishment() {
  const { test } = await ask("/api/overview");
  const companyName = text({ maxlength: 100 }), capital = text({ inputmode: "numeric", pattern: "[1-9][0-9]{0,11}(\\.[0-9]{1,2})?" });
  const people = [], list = h("div", {});
  const add = () => {
    const made = person(people.length ? Math.max(...people.map((each) => each.number)) + 1 : 1, () => {
      people.splice(people.indexOf(made), 1);
      made.element.remove();
    });
    made.number = Number(made.element.querySelector("input[type=checkbox]").id.split("-")[1]);
    people.push(made);
    list.append(made.element);
    return made;
  };
  const sample = () => {
    companyName.value = "上海示例科技有限公司";
    capital.value = "1000000";
    while (people.length < SAMPLE.length) add();
    people.forEach((each, place) => SAMPLE[place] && each.fill(test ? "Test Accepted" : SAMPLE[place][0], ...SAMPLE[place].slice(1)));
  };
  for (let n = 0; n < 4; n++) add();
  const read = async () => ({ company_name: companyName.value.trim(), capital: capital.value.trim(), people: await Promise.all(people.map((each) => each.read())) });
  const check = () => (people.every((each) => each.held().length) ? null : "role_missing");
  show("entry", say("new"), h("p", { class: "lead" }, say("entry_lead")),
    h("p", { class: "row" }, h("button", { type: "button", class: "second", onclick: sample }, say("fill_sample"))),
    form([card(h("h2", {}, say("company")), h("div", { class: "grid" }, field(say("company_name"), companyName), field(say("capital"), capital, say("capital_hint")))),
      h("h2", {}, say("people")), list, h("p", { class: "row" }, h("button", { type: "button", class: "second", onclick: () => add().element.querySelector("input").focus() }, say("add_person")))],
    "/api/filings", read, check));
}

export async function increase(id) {
  const known = await ask(`/api/companies/${id}`);
  const capital = text({ inputmode: "numeric", pattern: "[1-9][0-9]{0,11}(\\.[0-9]{1,2})?" });
  const photos = known.signers.map((each) => [each, picture()]);
  const read = async () => ({ capital: capital.value.trim(),
    photos: Object.fromEntries(await Promise.all(photos.map(async ([each, input]) => [each.id_number, await base64(input)]))) });
  show("increase", say("increase"), h("p", { class: "lead" }, say("increase_lead", { name: known.name, capital: money(known.capital) })),
    form([card(field(say("new_capital"), capital, say("capital_hint"))), card(h("h2", {}, say("signers")), photos.map(([each, input]) =>
      field(`${each.name}（${each.roles.map((role) => say(`role.${role}`)).join("、")}）`, input, say("photo_hint"))))],
    `/api/companies/${id}/increases`, read));
}
