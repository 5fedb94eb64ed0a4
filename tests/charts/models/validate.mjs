// Reads a JSON array of objects of kinds that Kubernetes does not ship; writes a sentence for each thing wrong with one.
// The models check types and what is required, but not names: a field that a model never looks at is unknown to it.
import { readFileSync } from "node:fs";

const PACKAGES = ["gateway-api", "keda", "prometheus-operator"];
const NOT_THERE = ["ERR_PACKAGE_PATH_NOT_EXPORTED", "ERR_MODULE_NOT_FOUND"];

async function modelOf({ apiVersion, kind }) {
  for (const name of PACKAGES) {
    try {
      return (await import(`@kubernetes-models/${name}/${apiVersion}/${kind}`))[kind];
    } catch (error) {
      if (!NOT_THERE.includes(error.code)) throw error;
    }
  }
  return undefined;
}

/** `value` that takes the path of each field that is looked at out of `unseen`. */
function watched(value, path, unseen) {
  if (value === null || typeof value !== "object") return value;
  const children = Array.isArray(value) ? [] : {};
  for (const [key, child] of Object.entries(value)) {
    unseen.add(`${path}/${key}`);
    children[key] = watched(child, `${path}/${key}`, unseen);
  }
  return new Proxy(children, {
    get(target, key) {
      unseen.delete(`${path}/${String(key)}`);
      return target[key];
    },
  });
}

async function problems(object) {
  const model = await modelOf(object);
  if (!model) return [`no schema of ${object.apiVersion} is known`];
  const unseen = new Set();
  try {
    model.prototype.validate.call(watched(object, "", unseen));
  } catch (error) {
    return [error.message];
  }
  return [...unseen].map((path) => `${path} is no field of it`);
}

const found = [];
for (const object of JSON.parse(readFileSync(0, "utf8"))) {
  for (const problem of await problems(object)) found.push(`${object.kind} ${object.metadata?.name}: ${problem}`);
}
console.log(JSON.stringify(found));
