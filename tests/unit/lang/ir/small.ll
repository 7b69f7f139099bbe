; The smallest module with debug information.
target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"
target triple = "bpfel"

define i64 @small(ptr %ctx) nounwind !dbg !5 {
  %v = load i64, ptr %ctx, align 8, !dbg !10
  %r = udiv i64 %v, 3, !dbg !10
  ret i64 %r, !dbg !10
}

!llvm.dbg.cu = !{!0}
!llvm.module.flags = !{!1, !2}
!0 = distinct !DICompileUnit(language: DW_LANG_C11, file: !3, producer: "skep", isOptimized: true, runtimeVersion: 0, emissionKind: FullDebug, nameTableKind: None)
!1 = !{i32 7, !"Dwarf Version", i32 5}
!2 = !{i32 2, !"Debug Info Version", i32 3}
!3 = !DIFile(filename: "small.py", directory: "", source: "def small(ctx):\0A    return ctx[0] // 3\0A")
!4 = !DISubroutineType(types: !6)
!5 = distinct !DISubprogram(name: "small", scope: !3, file: !3, line: 1, type: !4, scopeLine: 1, spFlags: DISPFlagDefinition|DISPFlagOptimized, unit: !0, retainedNodes: !8)
!6 = !{!7, !11}
!7 = !DIBasicType(name: "u64", size: 64, encoding: DW_ATE_unsigned)
!8 = !{!9}
!9 = !DILocalVariable(name: "ctx", arg: 1, scope: !5, file: !3, line: 1, type: !11)
!10 = !DILocation(line: 2, column: 12, scope: !5)
!11 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: !7, size: 64)
