// The matrix product (kernels.h). Included once per level after lanes-inl.h.

#if !defined(LANES_SCALAR)
HWY_BEFORE_NAMESPACE();
#endif
namespace harambee::trainer {
namespace LANES_NAMESPACE {

// Register tile: kTileRows × kTileVectors accumulators, kTileVectors vectors of B and one
// broadcast of A. AVX-512 and NEON have 32 registers, AVX2 has 16.
#if defined(LANES_SCALAR)
inline constexpr std::size_t kTileRows = 4, kTileVectors = 1;
#elif HWY_TARGET == HWY_AVX2
inline constexpr std::size_t kTileRows = 6, kTileVectors = 2;
#else
inline constexpr std::size_t kTileRows = 12, kTileVectors = 2;
#endif
inline constexpr std::size_t kPanel = kTileVectors * kVector;
// The inner dimension per pass, so that a panel of B stays in the first-level cache.
inline constexpr std::size_t kInner = 256;

#if defined(LANES_SCALAR)
LANES_INLINE Vector vector_fill(float x) { return fill(x); }
LANES_INLINE Vector vector_load(const float* p) { return load(p); }
LANES_INLINE void vector_store(Vector a, float* p) { store(a, p); }
LANES_INLINE Vector vector_fma(Vector a, Vector b, Vector c) { return fma(a, b, c); }
#else
LANES_INLINE Vector vector_fill(float x) { return hn::Set(Tag(), x); }
LANES_INLINE Vector vector_load(const float* p) { return hn::LoadU(Tag(), p); }
LANES_INLINE void vector_store(Vector a, float* p) { hn::StoreU(a, Tag(), p); }
LANES_INLINE Vector vector_fma(Vector a, Vector b, Vector c) { return hn::MulAdd(a, b, c); }
#endif

// The next panel of B, brought into the first-level cache while the tiles of this one compute. A
// step's weights and activations do not fit the second level: without this, and without fetching
// the next tile of C, a product reaches 140 of 176 GFLOP/s instead of 165 (measured with all
// operands in the third-level cache).
struct Ahead {
  const float* next = nullptr;
  std::size_t row = 0;   // stride
  std::size_t left = 0;  // rows of kPanel floats still to fetch
  std::size_t rate = 0;  // rows for each kAheadSteps of the inner dimension
};
inline constexpr std::size_t kAheadSteps = 16;
inline constexpr std::size_t kLine = 16;  // floats

LANES_INLINE void fetch(const float* p) { __builtin_prefetch(p, 0, 3); }
LANES_INLINE void fetch_to_write(const float* p) { __builtin_prefetch(p, 1, 3); }

struct Tile {
  std::size_t k;
  const float* a;
  std::size_t a_stride;  // of rows, or of inner steps when A is read transposed
  const float* b;
  std::size_t b_row;
  const float* start;
  std::size_t start_row;
  float* c;
  std::size_t c_row;
  Ahead* ahead;
  const float* next_c;  // of the tile after this one; null: not to be fetched
};

// What is due at inner step k, a multiple of kAheadSteps.
template <std::size_t Rows>
LANES_INLINE void fetch_ahead(const Tile& t, std::size_t k) {
  Ahead& b = *t.ahead;
  const std::size_t count = b.left < b.rate ? b.left : b.rate;
  b.left -= count;
  for (std::size_t i = 0; i < count; ++i, b.next += b.row) {
    for (std::size_t j = 0; j < kPanel; j += kLine) fetch(b.next + j);
  }
  constexpr std::size_t kStride = 8;  // 128 inner steps fetch all rows of the next tile
  const std::size_t first = k / kAheadSteps;
  if (t.next_c == nullptr || first >= kStride) return;
  for (std::size_t r = first; r < Rows; r += kStride) {
    for (std::size_t j = 0; j < kPanel; j += kLine) fetch_to_write(t.next_c + r * t.c_row + j);
  }
}

// c[Rows, kPanel] = start + a · b over one block of the inner dimension.
template <std::size_t Rows, bool Transposed>
void tile(const Tile& t) {
  Vector acc[Rows][kTileVectors];
#pragma GCC unroll 16
  for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (std::size_t j = 0; j < kTileVectors; ++j) {
      acc[r][j] =
          t.start ? vector_load(t.start + r * t.start_row + j * kVector) : vector_fill(0.0f);
    }
  }
  const float* b = t.b;
  // Three rows share a base pointer, so that base, base + s and base + 2s address them all.
  constexpr std::size_t kBases = (Rows + 2) / 3;
  const float* base[kBases];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kBases; ++i) base[i] = t.a + (Transposed ? 0 : 3 * i * t.a_stride);
  for (std::size_t k = 0; k < t.k;) {
    fetch_ahead<Rows>(t, k);
    const std::size_t end = t.k - k < kAheadSteps ? t.k : k + kAheadSteps;
    for (; k < end; ++k) {
      Vector column[kTileVectors];
#pragma GCC unroll 4
      for (std::size_t j = 0; j < kTileVectors; ++j) column[j] = vector_load(b + j * kVector);
      b += t.b_row;
#pragma GCC unroll 16
      for (std::size_t r = 0; r < Rows; ++r) {
        const float value = Transposed ? base[0][r] : base[r / 3][(r % 3) * t.a_stride];
        const Vector a = vector_fill(value);
#pragma GCC unroll 4
        for (std::size_t j = 0; j < kTileVectors; ++j)
          acc[r][j] = vector_fma(a, column[j], acc[r][j]);
      }
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kBases; ++i) base[i] += Transposed ? t.a_stride : 1;
    }
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (std::size_t j = 0; j < kTileVectors; ++j) {
      vector_store(acc[r][j], t.c + r * t.c_row + j * kVector);
    }
  }
}

using TileFunction = void (*)(const Tile&);

template <bool Transposed, std::size_t... Rows>
constexpr std::array<TileFunction, sizeof...(Rows)> tiles(std::index_sequence<Rows...>) {
  return {&tile<Rows + 1, Transposed>...};
}
inline constexpr auto kTiles = tiles<false>(std::make_index_sequence<kTileRows>());
inline constexpr auto kTilesTransposed = tiles<true>(std::make_index_sequence<kTileRows>());

// One panel's columns over one block of the inner dimension, and the rows of A it meets.
struct Pass {
  const Gemm* g;
  std::size_t k0, depth;    // of the inner dimension
  std::size_t m0, rows;     // of A
  std::size_t n0, columns;  // of B; columns <= kPanel
  const float* a;           // element (m0, k0), possibly a copy
  std::size_t a_row, a_column;
  const float* b;
  std::size_t b_row;
  const float* next_b;  // the next panel; null: none
  std::size_t next_b_row;
};

// Products of few rows (attention's) find everything in the cache already.
inline constexpr std::size_t kAheadRowsMin = 2 * kTileRows + 1;

// The tile that begins `rows` below this one or, if that is 0, at the top of the next panel. Rows
// of A come from afar for the first panel only; columns of A are a copy, or close together.
inline void fetch_next_tile(const Pass& p, std::size_t rows, Tile& t) {
  if (rows == 0) {
    t.next_c = p.next_b ? p.g->c + p.m0 * p.g->c_row + p.n0 + kPanel : nullptr;
    return;
  }
  t.next_c = t.c + rows * t.c_row;
  if (p.n0 != 0 || p.a_column != 1) return;
  const float* a = t.a + rows * p.a_row;
  for (std::size_t r = 0; r < rows; ++r, a += p.a_row) {
    for (std::size_t k = 0; k < p.depth; k += kLine) fetch(a + k);
  }
}

// The last columns of C when N is no multiple of the panel: the tile works on a padded copy.
inline void tile_narrow(TileFunction function, Tile t, std::size_t rows, std::size_t columns) {
  float c[kTileRows * kPanel] = {};
  if (t.start) {
    for (std::size_t r = 0; r < rows; ++r) {
      std::memcpy(c + r * kPanel, t.start + r * t.start_row, columns * sizeof(float));
    }
    t.start = c;
    t.start_row = kPanel;
  }
  float* const out = t.c;
  const std::size_t out_row = t.c_row;
  t.c = c;
  t.c_row = kPanel;
  t.next_c = nullptr;
  function(t);
  for (std::size_t r = 0; r < rows; ++r) {
    std::memcpy(out + r * out_row, c + r * kPanel, columns * sizeof(float));
  }
}

LANES_INLINE void panel_pass(const Pass& p) {
  const Gemm& g = *p.g;
  const bool transposed = p.a_column != 1;
  const bool first = p.k0 == 0;
  const float* start = first ? g.start : g.c;
  Tile t{};
  t.k = p.depth;
  t.a_stride = transposed ? p.a_column : p.a_row;
  t.b = p.b;
  t.b_row = p.b_row;
  t.start_row = first ? g.start_row : g.c_row;
  t.c_row = g.c_row;
  // Tiles of nearly equal height, so that no sliver is left at the end.
  const std::size_t count = (p.rows + kTileRows - 1) / kTileRows;
  Ahead ahead;
  if (p.rows >= kAheadRowsMin && p.next_b) {
    ahead = {p.next_b, p.next_b_row, p.depth, (kAheadSteps + count - 1) / count};
  }
  t.ahead = &ahead;
  std::size_t done = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t rows = (p.rows - done + (count - i) - 1) / (count - i);
    const std::size_t m = p.m0 + done;
    t.a = p.a + done * p.a_row;
    t.start = start ? start + m * t.start_row + p.n0 : nullptr;
    t.c = g.c + m * g.c_row + p.n0;
    if (p.rows >= kAheadRowsMin) fetch_next_tile(p, i + 1 == count ? 0 : rows, t);
    const TileFunction function = transposed ? kTilesTransposed[rows - 1] : kTiles[rows - 1];
    if (p.columns == kPanel) {
      function(t);
    } else {
      tile_narrow(function, t, rows, p.columns);
    }
    done += rows;
  }
}

// Copies `columns` floats of `depth` rows side by side, `width` apart, padded with zeros.
LANES_INLINE void copy_columns(const float* from, std::size_t row, std::size_t depth,
                               std::size_t columns, std::size_t width, float* to) {
  for (std::size_t k = 0; k < depth; ++k, from += row, to += width) {
    std::size_t j = 0;
    for (; j + kVector <= columns; j += kVector) vector_store(vector_load(from + j), to + j);
    for (; j < columns; ++j) to[j] = from[j];
    for (; j < width; ++j) to[j] = 0.0f;
  }
}

// All panels over one block of the inner dimension and one chunk of rows. Strided operands are
// copied when they will be read often enough: rows a power of two apart share cache sets.
LANES_INLINE void block_pass(Pass p) {
  const Gemm& g = *p.g;
  const bool packed = g.b.row_stride == 0;
  p.b_row = packed ? kPanel : g.b.row_stride;
  const float* panel = g.b.data + p.k0 * p.b_row;
  p.next_b_row = p.b_row;
  alignas(64) float b_copy[kInner * kPanel];
  for (p.n0 = 0; p.n0 < g.n; p.n0 += kPanel) {
    p.columns = g.n - p.n0 < kPanel ? g.n - p.n0 : kPanel;
    p.b = panel;
    p.b_row = p.next_b_row;
    panel += packed ? kPanel * g.k : kPanel;
    p.next_b = p.columns < kPanel || p.n0 + kPanel == g.n ? nullptr : panel;
    if (!packed && (p.columns < kPanel || p.rows > 2 * kTileRows)) {
      copy_columns(p.b, p.b_row, p.depth, p.columns, kPanel, b_copy);
      p.b = b_copy;
      p.b_row = kPanel;
    }
    panel_pass(p);
  }
}

// A read by columns is copied if many panels will read it, or if its rows are so far apart that
// each costs a page of its own (measured at the recipe's shapes).
LANES_INLINE bool copies_a(const Gemm& g) {
  if (g.a_column == 1) return false;
  return g.n > 4 * kPanel || (g.a_column > 256 && g.n > 2 * kPanel);
}

// Rows of A per chunk: with kInner they fill a tenth of a 2 MB second-level cache.
inline constexpr std::size_t kChunkRows = 16 * kTileRows;

inline void gemm(const Gemm& g) {
  if (g.m == 0 || g.n == 0) return;
  alignas(64) float a_copy[kInner * kChunkRows];
  const std::size_t blocks = g.k == 0 ? 1 : (g.k + kInner - 1) / kInner;
  Pass p{};
  p.g = &g;
  for (std::size_t i = 0; i < blocks; ++i) {
    p.depth = (g.k - p.k0 + (blocks - i) - 1) / (blocks - i);
    for (p.m0 = 0; p.m0 < g.m; p.m0 += kChunkRows) {
      p.rows = g.m - p.m0 < kChunkRows ? g.m - p.m0 : kChunkRows;
      p.a = g.a + p.m0 * g.a_row + p.k0 * g.a_column;
      p.a_row = g.a_row;
      p.a_column = g.a_column;
      if (copies_a(g)) {
        copy_columns(p.a, p.a_column, p.depth, p.rows, p.rows, a_copy);
        p.a = a_copy;
        p.a_column = p.rows;
      }
      block_pass(p);
    }
    p.k0 += p.depth;
  }
}

#if defined(LANES_SCALAR)
LANES_INLINE void transpose4(const float* w, std::size_t w_row, float* out) {
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) out[i * kPanel + j] = w[j * w_row + i];
  }
}
#else
LANES_INLINE void transpose4(const float* w, std::size_t w_row, float* out) {
  const hn::CappedTag<float, 4> four;
  const hn::RepartitionToWide<decltype(four)> pairs;
  const auto r0 = hn::LoadU(four, w), r1 = hn::LoadU(four, w + w_row);
  const auto r2 = hn::LoadU(four, w + 2 * w_row), r3 = hn::LoadU(four, w + 3 * w_row);
  const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(four, r0, r1));
  const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(four, r2, r3));
  const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(four, r0, r1));
  const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(four, r2, r3));
  hn::StoreU(hn::BitCast(four, hn::InterleaveLower(pairs, low01, low23)), four, out);
  hn::StoreU(hn::BitCast(four, hn::InterleaveUpper(pairs, low01, low23)), four, out + kPanel);
  hn::StoreU(hn::BitCast(four, hn::InterleaveLower(pairs, high01, high23)), four, out + 2 * kPanel);
  hn::StoreU(hn::BitCast(four, hn::InterleaveUpper(pairs, high01, high23)), four, out + 3 * kPanel);
}
#endif

inline void pack_columns(const float* w, std::size_t w_row, std::size_t n, std::size_t k,
                         float* out) {
  for (std::size_t n0 = 0; n0 < n; n0 += kPanel) {
    const std::size_t columns = n - n0 < kPanel ? n - n0 : kPanel;
    const std::size_t square_columns = columns / 4 * 4, square_k = k / 4 * 4;
    float* panel = out + n0 * k;
    const float* from = w + n0 * w_row;
    for (std::size_t i = 0; i < square_k; i += 4) {
      for (std::size_t j = 0; j < square_columns; j += 4) {
        transpose4(from + j * w_row + i, w_row, panel + i * kPanel + j);
      }
    }
    for (std::size_t i = 0; i < k; ++i) {
      for (std::size_t j = i < square_k ? square_columns : 0; j < columns; ++j) {
        panel[i * kPanel + j] = from[j * w_row + i];
      }
      for (std::size_t j = columns; j < kPanel; ++j) panel[i * kPanel + j] = 0.0f;
    }
  }
}

inline void pack_rows(const float* b, std::size_t b_row, std::size_t k, std::size_t n, float* out) {
  for (std::size_t n0 = 0; n0 < n; n0 += kPanel) {
    const std::size_t columns = n - n0 < kPanel ? n - n0 : kPanel;
    copy_columns(b + n0, b_row, k, columns, kPanel, out + n0 * k);
  }
}

inline double peak() {
  constexpr std::size_t kChains = 12;
  constexpr std::size_t kRounds = 200'000;
  Vector acc[kChains];
  for (std::size_t i = 0; i < kChains; ++i) acc[i] = vector_fill(static_cast<float>(i));
  const Vector a = vector_fill(0.999f), b = vector_fill(0.001f);
  for (std::size_t round = 0; round < kRounds; ++round) {
#pragma GCC unroll 16
    for (std::size_t i = 0; i < kChains; ++i) acc[i] = vector_fma(acc[i], a, b);
  }
  float sink[kVector];
  volatile float kept = 0;
  for (std::size_t i = 0; i < kChains; ++i) {
    vector_store(acc[i], sink);
    kept = sink[0];
  }
  static_cast<void>(kept);
  return 2.0 * kChains * kRounds * kVector;
}

}  // namespace LANES_NAMESPACE
}  // namespace harambee::trainer
#if !defined(LANES_SCALAR)
HWY_AFTER_NAMESPACE();
#endif
