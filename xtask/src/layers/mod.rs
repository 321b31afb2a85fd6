//! The circles among the imports of a crate's files.

mod source;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use anyhow::Result;
use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;

use crate::workspace::Workspace;
use source::Source;

/// The crates that have layers: their source folders and their names.
const CRATES: [(&str, &str); 2] = [
    ("runtime/src", "anchorhold"),
    ("macros/src", "anchorhold_macros"),
];

pub fn run(workspace: &Workspace) -> Result<()> {
    for (folder, name) in CRATES {
        println!("{}", Layers::of(workspace, folder, name)?);
    }
    Ok(())
}

/// The files of a crate, those that import nothing of it first.
struct Layers {
    folder: &'static str,
    /// A layer imports only those before it. More than one file is a circle, whose imports are beside it.
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

    /// The files that are in circles, which are to become none.
    const IN_CIRCLES: [usize; 2] = [0, 0];

    #[test]
    fn no_more_files_are_in_circles_than_were() -> Result<()> {
        let workspace = Workspace::find()?;
        for ((folder, name), known) in CRATES.into_iter().zip(IN_CIRCLES) {
            let layers = Layers::of(&workspace, folder, name)?;
            let files: usize = layers.circles().map(|circle| circle.files.len()).sum();
            assert_eq!(
                files, known,
                "if these are fewer, lower the number; if they are more, turn an import around\n{layers}"
            );
        }
        Ok(())
    }
}
