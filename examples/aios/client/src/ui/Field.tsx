import { StyleSheet, TextInput, type TextInputProps } from 'react-native';

import { RADIUS, SPACE, usePalette } from './theme';

type Props = TextInputProps & { label: string };

/** A text input whose label is its placeholder and its accessible name. */
export function Field({ label, style, ...rest }: Props) {
  const palette = usePalette();
  return (
    <TextInput
      accessibilityLabel={label}
      placeholder={label}
      placeholderTextColor={palette.faint}
      style={[
        styles.field,
        { backgroundColor: palette.surface, borderColor: palette.border, color: palette.text },
        style,
      ]}
      {...rest}
    />
  );
}

const styles = StyleSheet.create({
  field: {
    borderRadius: RADIUS,
    borderWidth: 1,
    fontSize: 16,
    minHeight: 44,
    paddingHorizontal: SPACE.medium,
    paddingVertical: SPACE.small,
  },
});
