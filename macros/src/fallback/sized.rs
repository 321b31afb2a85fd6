//! Borrows unsized types. Their error was reported, and rustc accepts them behind a reference.

use syn::{FnArg, ItemStruct, ReturnType, Type, parse_quote};

use crate::model::is_unsized;
use crate::parse::RawImpl;

/// Borrows unsized types in the signatures of handlers.
pub fn borrow_unsized(raw: &mut RawImpl) {
    for method in raw.handlers_mut() {
        for input in &mut method.signature.inputs {
            if let FnArg::Typed(argument) = input {
                borrow(&mut argument.ty);
            }
        }
        if let ReturnType::Type(_, ty) = &mut method.signature.output {
            borrow(ty);
        }
    }
}

/// Borrows unsized types in fields.
pub fn borrow_unsized_fields(item: &mut ItemStruct) {
    for field in &mut item.fields {
        borrow(&mut field.ty);
    }
}

fn borrow(ty: &mut Type) {
    if is_unsized(ty) {
        *ty = parse_quote!(&'static #ty);
    }
}
