
// Appended to a bundle. It gives the app a model of a namespace that has jurisdictions, which a
// local workerd does not have.
const jurisdictionOfId = new Map();

class ModelNamespace {
  constructor(real, jurisdiction) {
    Object.assign(this, { real, inside: jurisdiction });
  }

  jurisdiction(name) {
    if (name !== "eu") throw new TypeError(`no jurisdiction ${name}`);
    return new ModelNamespace(this.real, name);
  }

  made(id) {
    jurisdictionOfId.set(id.toString(), this.inside);
    return id;
  }

  checked(id) {
    if (jurisdictionOfId.get(id.toString()) !== this.inside) throw new TypeError("the id is of another jurisdiction");
    return id;
  }

  newUniqueId() {
    return this.made(this.real.newUniqueId());
  }

  idFromName(name) {
    return this.made(this.real.idFromName(`${this.inside} ${name}`));
  }

  idFromString(hex) {
    return this.checked(this.real.idFromString(hex));
  }

  get(id, options) {
    return this.real.get(this.checked(id), options);
  }

  getByName(name, options) {
    return this.get(this.idFromName(name), options);
  }
}

export default {
  fetch(request, env, ctx) {
    const modelled = { ...env, ID_PROBE: new ModelNamespace(env.ID_PROBE) };
    return new TheApp(ctx, modelled).fetch(request);
  },
};
