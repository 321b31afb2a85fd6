//! `Self` in the types that an object names.

use syn::visit_mut::{self, VisitMut};
use syn::{Path, Type};

/// Returns the type as written inside the object, with `Self` replaced, for use outside it.
pub fn resolve_self(ty: &Type, path: &Path) -> Type {
    let mut ty = ty.clone();
    ReplaceSelf(path).visit_type_mut(&mut ty);
    ty
}

struct ReplaceSelf<'a>(&'a Path);

impl VisitMut for ReplaceSelf<'_> {
    fn visit_path_mut(&mut self, path: &mut Path) {
        visit_mut::visit_path_mut(self, path);
        if path.leading_colon.is_some() {
            return;
        }
        if let Some(first) = path.segments.first()
            && first.ident == "Self"
        {
            // A mistake is shown at `Self`.
            let span = first.ident.span();
            let object = self.0.segments.iter().cloned().map(|mut segment| {
                segment
                    .ident
                    .set_span(segment.ident.span().located_at(span));
                segment
            });
            let rest = path.segments.iter().skip(1).cloned();
            path.segments = object.chain(rest).collect();
            path.leading_colon = self.0.leading_colon;
        }
    }
}
