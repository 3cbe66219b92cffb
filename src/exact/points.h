// The robust rules on points of which only inner products are known: each returns coefficients a
// such that the rule's answer is Σ a_i · point_i. Double arithmetic with + − × ÷ √ in a fixed order
// only, so everybody has the same bits. Internal to this room.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace harambee::exact {

class Points {
 public:
  Points() = default;
  // One point for each weight ≥ 0, and after them the reference point if there is one. Inner
  // products are zero until they are written.
  Points(std::vector<double> weight, bool reference)
      : weight_(std::move(weight)),
        size_(weight_.size() + (reference ? 1 : 0)),
        inner_(size_ * size_) {}

  [[nodiscard]] std::size_t count() const { return weight_.size(); }  // without the reference
  [[nodiscard]] std::size_t size() const { return size_; }            // with it
  [[nodiscard]] double weight(std::size_t i) const { return weight_[i]; }
  [[nodiscard]] double total() const;  // of the weights
  [[nodiscard]] double& inner(std::size_t i, std::size_t j) { return inner_[i * size_ + j]; }
  [[nodiscard]] double inner(std::size_t i, std::size_t j) const { return inner_[i * size_ + j]; }
  // ‖point_i − Σ a_j · point_j‖ of the first count() points.
  [[nodiscard]] std::vector<double> distances(const std::vector<double>& a) const;

 private:
  std::vector<double> weight_;
  std::size_t size_ = 0;
  std::vector<double> inner_;
};

// All return size() coefficients ≥ 0 that sum to one (up to rounding); all zero if all weights are.

// Centered clipping (Karimireddy, He, Jaggi 2021, arXiv 2012.10333): v starts at the reference (or
// zero), then v ← v + Σ w_i min(1, τ/‖x_i − v‖) (x_i − v), τ being the weighted lower median of the
// distances. Without a reference, what is clipped away is lost, and the sum is below one.
[[nodiscard]] std::vector<double> centered_clipping(const Points& points, int iterations);

// Nearest-neighbour mixing (Allouah et al. 2023, arXiv 2302.01772), then the smoothed geometric
// median (Pillutla et al. 2019, arXiv 1912.13445) with eight Weiszfeld steps from the mean.
// `faulty`: share of the votes that may be malicious, 0 ≤ faulty < 0.5.
[[nodiscard]] std::vector<double> geometric_median_of_neighbours(const Points& points,
                                                                 double faulty);

// The weighted mean of the points whose nearest others, with 1 − faulty of all votes, are nearest
// in sum of squares (Blanchard et al. 2017): as many as have 1 − faulty of the votes.
[[nodiscard]] std::vector<double> multi_krum(const Points& points, double faulty);

}  // namespace harambee::exact
