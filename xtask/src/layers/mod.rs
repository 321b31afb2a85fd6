//! Finds cycles among the imports of a crate's files.

mod source;
mod table;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use anyhow::Result;
use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;

use crate::workspace::Workspace;
use source::Source;

/// The crates with layers: their source folders and their names.
const CRATES: [(&str, &str); 2] = [
    ("runtime/src", "anchorhold"),
    ("macros/src", "anchorhold_macros"),
];

pub fn run(workspace: &Workspace) -> Result<()> {
    for (folder, name) in CRATES {
        println!("{}", Layers::of(workspace, folder, name)?);
    }
    print!("{}", table::markdown());
    for violation in table::violations(&runtime(workspace)?) {
        println!("{violation}");
    }
    Ok(())
}

fn runtime(workspace: &Workspace) -> Result<Source> {
    let [(folder, name), _] = CRATES;
    Source::read(&workspace.root.join(folder), name)
}

/// The files of a crate, beginning with those that import no file of the crate.
struct Layers {
    folder: &'static str,
    /// A layer imports only earlier ones. A layer with more than one file is a cycle, whose imports
    /// are listed with it.
    layers: Vec<Layer>,
}

struct Layer {
    files: Vec<PathBuf>,
    imports: Vec<(PathBuf, PathBuf)>,
}

impl Layers {
    fn of(workspace: &Workspace, folder: &'static str, name: &str) -> Result<Self> {
        let source = Source::read(&workspace.root.join(folder), name)?;
        let imports = source.imports();
        let mut graph = DiGraph::<usize, ()>::new();
        let nodes: Vec<_> = (0..source.files.len())
            .map(|file| graph.add_node(file))
            .collect();
        for (from, to) in &imports {
            graph.add_edge(nodes[*from], nodes[*to], ());
        }
        let path = |file: usize| source.files[file].clone();
        let layers = tarjan_scc(&graph)
            .into_iter()
            .map(|nodes| {
                let members: BTreeSet<usize> = nodes.iter().map(|node| graph[*node]).collect();
                let is_inside = |file: &usize| members.contains(file);
                Layer {
                    imports: imports
                        .iter()
                        .filter(|(from, to)| is_inside(from) && is_inside(to))
                        .map(|(from, to)| (path(*from), path(*to)))
                        .collect(),
                    files: members.iter().copied().map(path).collect(),
                }
            })
            .collect();
        Ok(Self { folder, layers })
    }

    fn circles(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().filter(|layer| layer.files.len() > 1)
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: usize = self.layers.iter().map(|layer| layer.files.len()).sum();
        writeln!(
            formatter,
            "{}: {files} files, {} circles",
            self.folder,
            self.circles().count()
        )?;
        for circle in self.circles() {
            writeln!(formatter, "  circle of {} files", circle.files.len())?;
            for (from, to) in &circle.imports {
                writeln!(formatter, "    {} -> {}", from.display(), to.display())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_imports_one_that_imports_it() -> Result<()> {
        let workspace = Workspace::find()?;
        for (folder, name) in CRATES {
            let layers = Layers::of(&workspace, folder, name)?;
            assert!(
                layers.circles().next().is_none(),
                "reverse an import, or move the shared items into a separate file\n{layers}"
            );
        }
        Ok(())
    }

    #[test]
    fn each_file_imports_its_layer_and_those_below() -> Result<()> {
        let violations = table::violations(&runtime(&Workspace::find()?)?);
        assert!(violations.is_empty(), "{}", violations.join("\n"));
        Ok(())
    }

    #[test]
    fn table_of_the_layers_is_in_the_architecture() -> Result<()> {
        let path = Workspace::find()?.root.join("ARCHITECTURE.md");
        let text = std::fs::read_to_string(path)?;
        assert!(
            text.contains(&table::markdown()),
            "copy the table that `cargo xtask layers` prints into ARCHITECTURE.md"
        );
        Ok(())
    }
}
