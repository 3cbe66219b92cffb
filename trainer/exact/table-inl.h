// The level's functions as one table (kernels.h). Included last.

#if !defined(LANES_SCALAR)
HWY_BEFORE_NAMESPACE();
#endif
namespace harambee::trainer {
namespace LANES_NAMESPACE {

inline Kernels table(Simd simd) {
  Kernels k{};
  k.simd = simd;
  k.panel = kPanel;
  k.gemm = gemm;
  k.pack_columns = pack_columns;
  k.pack_rows = pack_rows;
  k.rms_norm = rms_norm;
  k.rms_apply = rms_apply;
  k.rms_backward = rms_backward;
  k.rms_weight_gradient = rms_weight_gradient;
  k.rope = rope;
  k.swiglu = swiglu;
  k.swiglu_backward = swiglu_backward;
  k.softmax_gradient = softmax_gradient;
  k.softmax_sum = softmax_sum;
  k.attention_forward = attention_forward;
  k.attention_backward = attention_backward;
  k.sum_squares = sum_squares;
  k.add = add_to;
  k.adam = adam;
  k.peak = peak;
  return k;
}

}  // namespace LANES_NAMESPACE
}  // namespace harambee::trainer
#if !defined(LANES_SCALAR)
HWY_AFTER_NAMESPACE();
#endif
#undef EACH_CHUNK
#undef LANES_INLINE
#undef LANES_ATTR
