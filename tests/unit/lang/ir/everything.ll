; What a module may have: maps by descriptor (map.0) and by the address of their value (map.1), constants, a subprogram
; before the entry, a callback after it, kernel functions, and a function that nothing calls. Run with map.0[0] = 5 and
; map.1 = {0, 1000, ...} it returns ((5 * 3) ^ 77) + 1000 + 10 + sum of b"0123456789".
target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"
target triple = "bpfel"

@map.0 = external global i8
@map.1 = external global i8
@text.0 = private unnamed_addr constant [16 x i8] c"0123456789\00\00\00\00\00\00"

declare i32 @bpf_iter_num_new(ptr, i32, i32) section ".ksyms"
declare ptr @bpf_iter_num_next(ptr) section ".ksyms"
declare void @bpf_iter_num_destroy(ptr) section ".ksyms"

define internal i64 @scramble(i64 %x) #1 !dbg !20 {
  %a = mul i64 %x, 3, !dbg !24
  %b = xor i64 %a, 77, !dbg !24
  ret i64 %b, !dbg !24
}

define i64 @everything(ptr %ctx) #0 !dbg !5 {
  %k = alloca i32, align 4
  %sum = alloca i64, align 8
  %it = alloca [8 x i8], align 8
  store i32 0, ptr %k, align 4, !dbg !10
  store i64 0, ptr %sum, align 8, !dbg !10
  %p = call ptr inttoptr (i64 1 to ptr)(ptr @map.0, ptr %k), !dbg !10
  %none = icmp eq ptr %p, null, !dbg !11
  br i1 %none, label %out, label %found, !dbg !11
found:
  %v = load i64, ptr %p, align 8, !dbg !12
  %r = call i64 @scramble(i64 %v), !dbg !12
  %g = load i64, ptr getelementptr (i8, ptr @map.1, i64 8), align 8, !dbg !12
  %r2 = add i64 %r, %g, !dbg !12
  %loop = call i64 inttoptr (i64 181 to ptr)(i32 10, ptr @step, ptr %sum, i64 0), !dbg !13
  %new = call i32 @bpf_iter_num_new(ptr %it, i32 0, i32 10), !dbg !14
  br label %head, !dbg !14
head:
  %e = call ptr @bpf_iter_num_next(ptr %it), !dbg !14
  %end = icmp eq ptr %e, null, !dbg !14
  br i1 %end, label %done, label %body, !dbg !14
body:
  %i = load i32, ptr %e, align 4, !dbg !15
  %i4 = and i32 %i, 15, !dbg !15
  %i8 = zext i32 %i4 to i64, !dbg !15
  %at = getelementptr i8, ptr @text.0, i64 %i8, !dbg !15
  %c = load i8, ptr %at, align 1, !dbg !15
  %c64 = zext i8 %c to i64, !dbg !15
  %s = load i64, ptr %sum, align 8, !dbg !15
  %s2 = add i64 %s, %c64, !dbg !15
  store i64 %s2, ptr %sum, align 8, !dbg !15
  br label %head, !dbg !15
done:
  call void @bpf_iter_num_destroy(ptr %it), !dbg !14
  %total = load i64, ptr %sum, align 8, !dbg !16
  %r3 = add i64 %r2, %total, !dbg !16
  ret i64 %r3, !dbg !16
out:
  ret i64 0, !dbg !11
}

define internal i64 @step(i32 %i, ptr %sum) #1 !dbg !30 {
  %s = load i64, ptr %sum, align 8, !dbg !35
  %s1 = add i64 %s, 1, !dbg !35
  store i64 %s1, ptr %sum, align 8, !dbg !35
  ret i64 0, !dbg !35
}

define i64 @alone(ptr %ctx) #0 !dbg !40 {
  ret i64 7, !dbg !43
}

attributes #0 = { nounwind "no-jump-tables"="true" }
attributes #1 = { noinline nounwind "no-jump-tables"="true" }

!llvm.dbg.cu = !{!0}
!llvm.module.flags = !{!1, !2}
!0 = distinct !DICompileUnit(language: DW_LANG_C11, file: !3, producer: "skep", isOptimized: true, runtimeVersion: 0, emissionKind: FullDebug, nameTableKind: None)
!1 = !{i32 7, !"Dwarf Version", i32 5}
!2 = !{i32 2, !"Debug Info Version", i32 3}
!3 = !DIFile(filename: "everything.py", directory: "", source: "def scramble(x):\0A    return x * 3 ^ 77\0A\0Adef step(i, total):\0A    total += 1\0A\0Adef everything(ctx):\0A    v = counts.lookup(0)\0A    if v is None: return 0\0A    r = scramble(v) + state.second\0A    skep.loop(10, step, total)\0A    for i in range(10):\0A        total += DIGITS[i & 15]\0A    return r + total\0A\0Adef alone(ctx):\0A    return 7\0A")
!4 = !DISubroutineType(types: !6)
!5 = distinct !DISubprogram(name: "everything", scope: !3, file: !3, line: 7, type: !4, scopeLine: 7, spFlags: DISPFlagDefinition|DISPFlagOptimized, unit: !0, retainedNodes: !8)
!6 = !{!7, !50}
!7 = !DIBasicType(name: "u64", size: 64, encoding: DW_ATE_unsigned)
!8 = !{!9}
!9 = !DILocalVariable(name: "ctx", arg: 1, scope: !5, file: !3, line: 7, type: !50)
!10 = !DILocation(line: 8, column: 9, scope: !5)
!11 = !DILocation(line: 9, column: 5, scope: !5)
!12 = !DILocation(line: 10, column: 9, scope: !5)
!13 = !DILocation(line: 11, column: 5, scope: !5)
!14 = !DILocation(line: 12, column: 5, scope: !5)
!15 = !DILocation(line: 13, column: 9, scope: !5)
!16 = !DILocation(line: 14, column: 5, scope: !5)
!20 = distinct !DISubprogram(name: "scramble", scope: !3, file: !3, line: 1, type: !21, scopeLine: 1, spFlags: DISPFlagLocalToUnit|DISPFlagDefinition|DISPFlagOptimized, unit: !0, retainedNodes: !22)
!21 = !DISubroutineType(types: !25)
!22 = !{!23}
!23 = !DILocalVariable(name: "x", arg: 1, scope: !20, file: !3, line: 1, type: !7)
!24 = !DILocation(line: 2, column: 5, scope: !20)
!25 = !{!7, !7}
!30 = distinct !DISubprogram(name: "step", scope: !3, file: !3, line: 4, type: !31, scopeLine: 4, spFlags: DISPFlagLocalToUnit|DISPFlagDefinition|DISPFlagOptimized, unit: !0, retainedNodes: !32)
!31 = !DISubroutineType(types: !36)
!32 = !{!33, !34}
!33 = !DILocalVariable(name: "i", arg: 1, scope: !30, file: !3, line: 4, type: !37)
!34 = !DILocalVariable(name: "total", arg: 2, scope: !30, file: !3, line: 4, type: !50)
!35 = !DILocation(line: 5, column: 5, scope: !30)
!36 = !{!7, !37, !50}
!37 = !DIBasicType(name: "u32", size: 32, encoding: DW_ATE_unsigned)
!40 = distinct !DISubprogram(name: "alone", scope: !3, file: !3, line: 16, type: !4, scopeLine: 16, spFlags: DISPFlagDefinition|DISPFlagOptimized, unit: !0, retainedNodes: !41)
!41 = !{!42}
!42 = !DILocalVariable(name: "ctx", arg: 1, scope: !40, file: !3, line: 16, type: !50)
!43 = !DILocation(line: 17, column: 5, scope: !40)
!50 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: !7, size: 64)
