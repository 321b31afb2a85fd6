//! The modules of a crate, and what each name in them refers to, read from its source.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::Visit;
use syn::{Attribute, Ident, Item, ItemMod, UseTree};

/// A path of modules below the crate's root, such as `["platform", "native"]`.
pub type ModulePath = Vec<String>;

/// A crate's files and its modules.
pub struct Source {
    /// The files, relative to the crate's source folder.
    pub files: Vec<PathBuf>,
    modules: BTreeMap<ModulePath, Module>,
    crate_name: String,
}

struct Module {
    file: usize,
    /// The names that `use` brings into the module, including re-exports. Two conditions may import
    /// the same name.
    imports: BTreeMap<String, Vec<Vec<String>>>,
    globs: Vec<Vec<String>>,
    /// The names of the items that the module defines itself.
    items: BTreeSet<String>,
    /// Every path that the module's code writes.
    paths: BTreeSet<Vec<String>>,
}

impl Source {
    /// Reads the crate whose root is `folder/lib.rs`. Omits code that is for tests only.
    pub fn read(folder: &Path, crate_name: &str) -> Result<Self> {
        let mut source = Self {
            files: Vec::new(),
            modules: BTreeMap::new(),
            crate_name: crate_name.to_owned(),
        };
        source.read_file(folder, Path::new("lib.rs"), Path::new(""), Vec::new())?;
        Ok(source)
    }

    fn read_file(
        &mut self,
        folder: &Path,
        file: &Path,
        children: &Path,
        module: ModulePath,
    ) -> Result<()> {
        let path = folder.join(file);
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let syntax = syn::parse_file(&text)
            .with_context(|| format!("{} is not Rust that can be parsed", path.display()))?;
        let index = self.files.len();
        self.files.push(file.to_owned());
        self.read_items(folder, index, children, module, &syntax.items)
    }

    fn read_items(
        &mut self,
        folder: &Path,
        file: usize,
        children: &Path,
        module: ModulePath,
        items: &[Item],
    ) -> Result<()> {
        let mut found = Module {
            file,
            imports: BTreeMap::new(),
            globs: Vec::new(),
            items: BTreeSet::new(),
            paths: BTreeSet::new(),
        };
        let mut inner = Vec::new();
        for item in items {
            match item {
                Item::Mod(item) if !is_for_tests(&item.attrs) => inner.push(item),
                Item::Mod(_) => {}
                item => Paths(&mut found).visit_item(item),
            }
        }
        self.modules.insert(module.clone(), found);
        for item in inner {
            self.read_module(folder, file, children, &module, item)?;
        }
        Ok(())
    }

    fn read_module(
        &mut self,
        folder: &Path,
        file: usize,
        children: &Path,
        parent: &[String],
        item: &ItemMod,
    ) -> Result<()> {
        let name = item.ident.to_string();
        let module = [parent, std::slice::from_ref(&name)].concat();
        let below = children.join(&name);
        if let Some((_, items)) = &item.content {
            return self.read_items(folder, file, &below, module, items);
        }
        let candidates = [
            path_attribute(&item.attrs).map(|path| children.join(path)),
            Some(below.with_extension("rs")),
            Some(below.join("mod.rs")),
        ];
        let Some(file) = candidates
            .into_iter()
            .flatten()
            .find(|file| folder.join(file).is_file())
        else {
            bail!("no file holds the module `{}`", module.join("::"));
        };
        self.read_file(folder, &file, &below, module)
    }

    /// Returns for each file the files that define something it names.
    pub fn imports(&self) -> BTreeSet<(usize, usize)> {
        let mut edges = BTreeSet::new();
        for (path, module) in &self.modules {
            let written = module.paths.iter();
            let imported = module.imports.values().flatten();
            for target in written.chain(imported).chain(&module.globs) {
                for file in self.resolve(path, target, 0) {
                    if file != module.file {
                        edges.insert((module.file, file));
                    }
                }
            }
        }
        edges
    }

    /// Returns the files that define what a path written in `module` names. Returns none for other
    /// crates and for modules themselves.
    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> BTreeSet<usize> {
        let Some((first, rest)) = path.split_first() else {
            return BTreeSet::new();
        };
        match first.as_str() {
            "crate" => self.descend(&[], rest, depth),
            name if name == self.crate_name => self.descend(&[], rest, depth),
            "self" => self.descend(module, rest, depth),
            "super" => match module.split_last() {
                Some((_, parent)) => match rest.first() {
                    Some(next) if next == "super" => self.resolve(parent, rest, depth),
                    _ => self.descend(parent, rest, depth),
                },
                None => BTreeSet::new(),
            },
            _ => self.descend(module, path, depth),
        }
    }

    fn descend(&self, module: &[String], path: &[String], depth: usize) -> BTreeSet<usize> {
        /// The maximum depth of imports of imports. A deeper one would be a cycle of names.
        const DEEPEST: usize = 32;
        let Some((first, rest)) = path.split_first() else {
            return BTreeSet::new();
        };
        let Some(found) = self.modules.get(module) else {
            return BTreeSet::new();
        };
        if depth > DEEPEST {
            return BTreeSet::new();
        }
        let child = [module, std::slice::from_ref(first)].concat();
        if self.modules.contains_key(&child) {
            return self.descend(&child, rest, depth + 1);
        }
        if let Some(targets) = found.imports.get(first) {
            return targets
                .iter()
                .flat_map(|target| {
                    let whole = [target.as_slice(), rest].concat();
                    self.resolve(module, &whole, depth + 1)
                })
                .collect();
        }
        if found.items.contains(first) {
            return BTreeSet::from([found.file]);
        }
        found
            .globs
            .iter()
            .flat_map(|glob| {
                let whole = [glob.as_slice(), path].concat();
                self.resolve(module, &whole, depth + 1)
            })
            .collect()
    }
}

/// Collects the imports and the paths of a module's items.
struct Paths<'a>(&'a mut Module);

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = head(item);
        if !attributes.is_some_and(is_for_tests) {
            self.0.items.extend(name.map(ToString::to_string));
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter().map(|part| part.ident.to_string());
        self.0.paths.insert(segments.collect());
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        self.tokens(invocation.tokens.clone());
    }
}

impl Paths<'_> {
    fn import(&mut self, mut prefix: Vec<String>, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.import(prefix, &path.tree);
            }
            UseTree::Name(name) if name.ident == "self" => {
                if let Some(last) = prefix.last().cloned() {
                    self.name(last, prefix);
                }
            }
            UseTree::Name(name) => {
                prefix.push(name.ident.to_string());
                self.name(name.ident.to_string(), prefix);
            }
            UseTree::Rename(name) => {
                prefix.push(name.ident.to_string());
                self.name(name.rename.to_string(), prefix);
            }
            UseTree::Glob(_) => self.0.globs.push(prefix),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(prefix.clone(), tree);
                }
            }
        }
    }

    fn name(&mut self, name: String, path: Vec<String>) {
        // `use serde;` would refer to itself.
        if path.as_slice() != [name.as_str()] {
            self.0.imports.entry(name).or_default().push(path);
        }
    }

    /// Collects the paths in the arguments of a macro, which are tokens.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.0.paths.insert(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.0.paths.insert(std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.0.paths.insert(path);
    }
}

/// Returns an item's attributes and its name, if it has them.
fn head(item: &Item) -> (Option<&[Attribute]>, Option<&Ident>) {
    let (attributes, name) = match item {
        Item::Const(item) => (&item.attrs, Some(&item.ident)),
        Item::Enum(item) => (&item.attrs, Some(&item.ident)),
        Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
        Item::Impl(item) => (&item.attrs, None),
        Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
        Item::Static(item) => (&item.attrs, Some(&item.ident)),
        Item::Struct(item) => (&item.attrs, Some(&item.ident)),
        Item::Trait(item) => (&item.attrs, Some(&item.ident)),
        Item::Type(item) => (&item.attrs, Some(&item.ident)),
        Item::Union(item) => (&item.attrs, Some(&item.ident)),
        Item::Use(item) => (&item.attrs, None),
        _ => return (None, None),
    };
    (Some(attributes), name)
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<TokenStream>()
                .is_ok_and(|condition| {
                    let condition = condition.to_string();
                    condition == "test" || condition == "doctest"
                })
    })
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let syn::Meta::NameValue(meta) = &attribute.meta else {
            return None;
        };
        match &meta.value {
            syn::Expr::Lit(value) if meta.path.is_ident("path") => match &value.lit {
                syn::Lit::Str(path) => Some(path.value()),
                _ => None,
            },
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    /// Returns which file of a crate imports which, by their names.
    fn imports_of(name: &str, files: &[(&str, &str)]) -> Result<BTreeSet<(String, String)>> {
        let folder = Workspace::find()?.target.join("layers").join(name);
        for (file, text) in files {
            let path = folder.join(file);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, text)?;
        }
        let source = Source::read(&folder, "sample")?;
        let name = |file: usize| source.files[file].display().to_string();
        let imports = source.imports().into_iter();
        Ok(imports.map(|(from, to)| (name(from), name(to))).collect())
    }

    #[test]
    fn names_lead_to_the_file_that_defines_them() -> Result<()> {
        let imports = imports_of(
            "definitions",
            &[
                ("lib.rs", "mod a;\nmod b;\npub use a::One;\n"),
                ("a/mod.rs", "mod inner;\npub use inner::*;\n"),
                (
                    "a/inner.rs",
                    "pub struct One;\nfn two() { vec![super::super::b::three()]; }\n",
                ),
                (
                    "b.rs",
                    "use crate::One;\npub fn three() {}\n#[cfg(test)]\nmod tests { use crate::lost::Four; }\n",
                ),
            ],
        )?;
        let expected = [
            ("a/inner.rs", "b.rs"),
            ("b.rs", "a/inner.rs"),
            ("lib.rs", "a/inner.rs"),
        ];
        let expected = expected.map(|(from, to)| (from.to_owned(), to.to_owned()));
        assert_eq!(imports, BTreeSet::from(expected));
        Ok(())
    }
}
